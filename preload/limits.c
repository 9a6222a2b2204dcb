/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setrlimit() as the program sees it. A sandbox that may not write files any more (sshd's)
 * cannot size secret memory either, nor have a descriptor for it: what may still be needed is
 * made present before.
 */
#include "common.h"
#include "heap.h"
#include "seal.h"
#include "seccomp.h"
#include "sys.h"
#include "thread_cache.h"
#include <errno.h>
#include <sys/resource.h>

#define FILE_LEAST       (4 * SM_MIB) /* the largest piece in which memory is had */
#define DESCRIPTOR_LEAST 8

/* With or without large files they are the same type here. */
int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit);

/*
 * The hard limit; the largest where the pointer is bad, which the kernel says then. It is asked
 * to read it: what is to be done with the set of signals is wrong, but that comes after.
 */
static rlim64_t hard_of(const struct rlimit64 *limit)
{
    if (!limit || sm_seccomp_forbids(SM_CALL_SIGPROCMASK) ||
        sm_sys(SYS_rt_sigprocmask, -1, &limit->rlim_max, NULL, 8) == -EFAULT)
        return RLIM64_INFINITY;
    return limit->rlim_max;
}

/* In a child that nobody announced, or in a signal handler in malloc, nothing can be taken. */
static bool can_reserve(void)
{
    return sm_heap_started() && sm_arena.span && !sm_unannounced() && !sm_inside_now();
}

static bool narrow(int resource, const struct rlimit64 *limit)
{
    if (resource == RLIMIT_FSIZE)
        return hard_of(limit) < FILE_LEAST;
    return resource == RLIMIT_NOFILE && hard_of(limit) < DESCRIPTOR_LEAST;
}

static int set(int resource, const struct rlimit64 *limit)
{
    long result;

    if (can_reserve() && narrow(resource, limit))
        sm_seal_reserve();
    result = sm_sys(SYS_prlimit64, 0, resource, limit, NULL);
    if (result == 0)
        return 0;
    errno = (int)-result;
    return -1;
}

/* As setrlimit(2). */
SM_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return set((int)resource, (const struct rlimit64 *)limit);
}

/* As setrlimit(2). */
SM_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    return set((int)resource, limit);
}
