/* SPDX-License-Identifier: Apache-2.0 */
#include "os/fork_copies.h"
#include "base/settings.h"
#include "os/kernel_file.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <sys/resource.h>

enum { UNKNOWN, COPIES, COPIES_NOT };

static int known; /* one of these; threads may ask at once */

static bool read_limit(struct rlimit *limit)
{
    return !sm_seccomp_forbids(SM_CALL_PRLIMIT) &&
           sm_sys(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, limit) == 0;
}

/*
 * The kernel copies a page when somebody first touches it, which may be long after the fork,
 * with another user ID and without privileges. At a limit that is SIGBUS, when it is too late
 * for a line or for other memory. So only a process without a limit has its copies made so.
 */
static bool lift_limit(void)
{
    struct rlimit limit = {0, 0};

    if (!read_limit(&limit) || limit.rlim_max != RLIM_INFINITY)
        return false;
    if (limit.rlim_cur == RLIM_INFINITY)
        return true;
    limit.rlim_cur = RLIM_INFINITY;
    return sm_sys(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &limit, NULL) == 0;
}

/*
 * The flag of memfd_secret(2) is not tried without the file: another kernel could give the flag
 * another meaning, and a child would share its parent's memory.
 */
static bool is_offered(void)
{
    char text[4];

    return sm_kernel_file("/sys/kernel/mm/secretmem/copy_at_fork", text, sizeof(text)) > 0 &&
           text[0] == '1';
}

bool sm_kernel_copies(void)
{
    int now = __atomic_load_n(&known, __ATOMIC_RELAXED), before = UNKNOWN;

    if (now != UNKNOWN)
        return now == COPIES;
    now = sm_settings.fork_copy == SM_FORK_COPY_KERNEL && is_offered() && lift_limit()
              ? COPIES
              : COPIES_NOT;
    /* Another thread may have learned meanwhile that a mapping is shared. */
    if (!__atomic_compare_exchange_n(&known, &before, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        now = before;
    return now == COPIES;
}

void sm_kernel_copies_not(void)
{
    __atomic_store_n(&known, COPIES_NOT, __ATOMIC_RELAXED);
}

static bool copied; /* set by a child's only thread */

bool sm_kernel_has_copied(void)
{
    return copied;
}

void sm_kernel_copied(void)
{
    copied = true;
}

bool sm_kernel_copies_limited(void)
{
    struct rlimit limit = {0, 0};

    return !read_limit(&limit) || limit.rlim_cur != RLIM_INFINITY;
}
