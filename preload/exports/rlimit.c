/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes setrlimit() and prlimit(). A sandbox that may not write files any more (sshd's)
 * can neither size secret memory nor open a descriptor for it, so secret memory that may be
 * needed is made present before. A sandbox with a limit on its address space does not lose that
 * space to the arena's reservation. A child of which the kernel makes the copy has all of it
 * before it limits its locked memory, as pam_limits does in sessions.
 */
#include "base/common.h"
#include "fork/fork_kernel_copy.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "loader/real.h"
#include "os/readable.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include "process/sandbox.h"
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILE_LEAST       (4 * SM_MIB) /* the largest piece of secret memory taken at once */
#define DESCRIPTOR_LEAST 8

/* With or without large files the types are the same here. */
int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit);
int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *limit,
              struct rlimit64 *old);

/*
 * Returns the hard limit, or RLIM64_INFINITY for a bad pointer, which the kernel reports then.
 */
static rlim64_t hard_of(const struct rlimit64 *limit)
{
    return sm_pages_readable(limit, sizeof(*limit)) ? limit->rlim_max : RLIM64_INFINITY;
}

/*
 * Returns false where nothing can be allocated: in a rawfork child, a vfork child, or a signal
 * handler that interrupted malloc.
 */
static bool can_enter(void)
{
    return sm_heap_started() && sm_sandbox_is_home() && !sm_is_rawfork_child() &&
           !sm_inside_now();
}

static bool can_reserve(void)
{
    return sm_arena.span && can_enter();
}

static bool narrow(int resource, const struct rlimit64 *limit)
{
    if (resource == RLIMIT_FSIZE)
        return hard_of(limit) < FILE_LEAST;
    return resource == RLIMIT_NOFILE && hard_of(limit) < DESCRIPTOR_LEAST;
}

static void before(int resource, const struct rlimit64 *limit)
{
    if (can_reserve() && narrow(resource, limit))
        sm_sandbox_reserve();
    if (resource == RLIMIT_MEMLOCK && can_enter() && sm_pages_readable(limit, sizeof(*limit)) &&
        limit->rlim_cur != RLIM64_INFINITY)
        sm_fork_kernel_copy_touch();
}

/*
 * Shrinks the arena for a limit that was set, because the address space is given back for good.
 * Keeps errno.
 */
static int after(int result, int resource, const struct rlimit64 *limit)
{
    if (result == 0 && resource == RLIMIT_AS && limit && can_reserve() &&
        limit->rlim_cur != RLIM64_INFINITY)
        sm_heap_shrink(limit->rlim_cur);
    return result;
}

/* As setrlimit(2). */
SM_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    before((int)resource, (const struct rlimit64 *)limit);
    return after(REAL(setrlimit)(resource, limit), (int)resource,
                 (const struct rlimit64 *)limit);
}

/* As setrlimit(2). */
SM_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    before((int)resource, limit);
    return after(REAL(setrlimit64)(resource, limit), (int)resource, limit);
}

static bool limit_is_ours(pid_t pid)
{
    return pid == 0 || (!sm_seccomp_forbids(SM_CALL_GETPID) && pid == sm_sys(SYS_getpid));
}

/* As prlimit(2). */
SM_EXPORT int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *limit,
                      struct rlimit *old)
{
    if (!limit_is_ours(pid))
        return REAL(prlimit)(pid, resource, limit, old);
    before((int)resource, (const struct rlimit64 *)limit);
    return after(REAL(prlimit)(pid, resource, limit, old), (int)resource,
                 (const struct rlimit64 *)limit);
}

/* As prlimit(2). */
SM_EXPORT int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *limit,
                        struct rlimit64 *old)
{
    if (!limit_is_ours(pid))
        return REAL(prlimit64)(pid, resource, limit, old);
    before((int)resource, limit);
    return after(REAL(prlimit64)(pid, resource, limit, old), (int)resource, limit);
}
