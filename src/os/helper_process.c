/* SPDX-License-Identifier: Apache-2.0 */
#include "os/helper_process.h"
#include "os/futex_lock.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include "os/valgrind.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <sys/wait.h>

#define STACK_SIZE (32 * SM_KIB)

struct job {
    void (*fn)(void *);
    void *arg;
    bool done;
};

static struct sm_lock lock;
static bool alone;
static char stack[STACK_SIZE] __attribute__((aligned(64)));
static __thread bool in_helper __attribute__((tls_model("initial-exec")));

static _Noreturn int helper_main(void *arg)
{
    struct job *job = arg;

    in_helper = true; /* the caller's variable; the caller waits for the helper to end */
    job->fn(job->arg);
    in_helper = false;
    job->done = true;
    for (;;)
        sm_sys(SYS_exit, 0);
}

bool sm_helper_here(void)
{
    return in_helper;
}

bool sm_helper_free_a_slot(void)
{
    struct rlimit limit = {0};

    if (!in_helper)
        return false;
    if (sm_sys(SYS_close, 0) == 0)
        return true;
    /* The limit is the helper's own, because the helper is a process. */
    if (sm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) != 0 ||
        limit.rlim_cur == limit.rlim_max)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return sm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL) == 0;
}

static bool helper_allowed(void)
{
    /* Valgrind and ThreadSanitizer do not support such a process. */
    return !sm_on_valgrind() && !SM_TSAN && !sm_seccomp_forbids(SM_CALL_CLONE) &&
           !sm_seccomp_forbids(SM_CALL_WAIT4) && !sm_seccomp_forbids(SM_CALL_SIGPROCMASK);
}

bool sm_helper_force(void (*fn)(void *), void *arg)
{
    struct job job = {fn, arg, false};
    uint64_t all = ~0ULL, old;
    int saved = errno, pid;

    if (!helper_allowed())
        return false;
    /* A signal handler must not run in the helper, on a stack that is not its own. */
    sm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
    sm_lock_take(&lock);
    pid = clone(helper_main, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK, &job);
    if (pid > 0)
        sm_sys(SYS_wait4, pid, NULL, __WALL, NULL);
    in_helper = false;
    sm_lock_drop(&lock);
    sm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
    errno = saved;
    return job.done;
}

void sm_helper_run(void (*fn)(void *), void *arg)
{
    /*
     * With one thread, no other thread can see, inherit or close a descriptor of this library.
     */
    if (alone || __libc_single_threaded || !sm_helper_force(fn, arg))
        fn(arg);
}

void sm_helper_alone(bool is_alone)
{
    sm_lock_reset(&lock);
    alone = is_alone;
}
