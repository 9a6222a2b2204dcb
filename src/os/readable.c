/* SPDX-License-Identifier: Apache-2.0 */
#include "os/readable.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>

bool sm_pages_readable(const void *address, size_t length)
{
    uintptr_t at = (uintptr_t)address, end = at + length;

    /* NULL is refused here, because the system call accepts it as "no signal set". */
    if (sm_seccomp_forbids(SM_CALL_SIGPROCMASK) || end < at || !address)
        return false;
    /*
     * The system call reads eight bytes before it finds that its first argument is wrong.
     * Probing the last eight bytes of each page and of the range is enough. A range with fewer
     * bytes is probed at its first byte.
     */
    for (; at < end; at = (at | (sm_os_page - 1)) + 1) {
        uintptr_t last = sm_min((at | (sm_os_page - 1)) + 1, end);
        uintptr_t probe = last - at >= 8 ? last - 8 : at;
        if (sm_sys(SYS_rt_sigprocmask, -1, probe, NULL, 8) == -EFAULT)
            return false;
    }
    return true;
}
