/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/fork.h"
#include "os/futex_lock.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <signal.h>

static struct sm_lock lock;
static bool masked;      /* the thread that holds the lock has all signals blocked */
static uint64_t signals; /* its signal mask before */

/* This thread holds the lock, or is about to wait for it. */
static __thread bool holding __attribute__((tls_model("initial-exec")));

bool sm_fork_holds(void)
{
    return holding;
}

void sm_fork_hold(bool mask)
{
    uint64_t before = 0, all = ~0ULL;
    bool masks = mask && !sm_seccomp_forbids(SM_CALL_SIGPROCMASK);

    if (masks)
        sm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
    holding = true;
    sm_lock_take(&lock);
    masked = masks;
    signals = before;
}

void sm_fork_release(void)
{
    uint64_t before = signals;
    bool unmasks = masked;

    sm_lock_drop(&lock);
    holding = false;
    if (unmasks)
        sm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
}

void sm_fork_release_in_child(void)
{
    sm_lock_reset(&lock); /* no thread waits for the lock in a child */
    sm_fork_release();
}
