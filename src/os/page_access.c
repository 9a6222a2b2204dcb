/* SPDX-License-Identifier: Apache-2.0 */
#include "os/page_access.h"
#include "os/pages.h"
#include "os/readable.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>

#define CALLS (SM_CALL_BIT(SM_CALL_SIGPROCMASK) | SM_CALL_BIT(SM_CALL_FUTEX))

/*
 * The call adds 0 to the page's first word, atomically. A thread that waits for that word may
 * wake early, as the waiters of any futex may.
 */
static bool is_writable(void *address)
{
    return sm_sys6(SYS_futex, (long)address, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0,
                   (long)address, FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_NE, 0)) != -EFAULT;
}

enum sm_access sm_page_access(void *address)
{
    if (sm_seccomp_forbids_any(CALLS))
        return SM_ACCESS_WRITE;
    if (!sm_pages_readable(address, sm_os_page))
        return SM_ACCESS_NONE;
    return is_writable(address) ? SM_ACCESS_WRITE : SM_ACCESS_READ;
}

int sm_page_set_access(void *address, size_t length, enum sm_access access)
{
    static const int rights[] = {
        [SM_ACCESS_NONE] = PROT_NONE,
        [SM_ACCESS_READ] = PROT_READ,
        [SM_ACCESS_WRITE] = PROT_READ | PROT_WRITE,
    };

    if (sm_seccomp_forbids(SM_CALL_MPROTECT))
        return -EPERM;
    return (int)sm_sys(SYS_mprotect, address, length, rights[access]);
}
