/* SPDX-License-Identifier: Apache-2.0 */
#include "os/readable.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>

bool sm_pages_readable(const void *address, size_t length)
{
    uintptr_t at = (uintptr_t)address, end = at + length;

    /* No set of signals, which is what NULL means to the call, is no mistake. */
    if (sm_seccomp_forbids(SM_CALL_SIGPROCMASK) || end < at || !address)
        return false;
    /*
     * The call reads eight bytes before it finds that what is to be done with them is wrong.
     * The last eight of each page and of the range are enough; a range of fewer has its first.
     */
    for (; at < end; at = (at | (sm_os_page - 1)) + 1) {
        uintptr_t last = sm_min((at | (sm_os_page - 1)) + 1, end);
        uintptr_t probe = last - at >= 8 ? last - 8 : at;
        if (sm_sys(SYS_rt_sigprocmask, -1, probe, NULL, 8) == -EFAULT)
            return false;
    }
    return true;
}
