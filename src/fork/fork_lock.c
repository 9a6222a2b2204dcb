/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/fork.h"
#include "fork/stream_list.h"
#include "heap/gate.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "os/futex_lock.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <limits.h>
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

static bool hold(bool mask, bool wait)
{
    uint64_t before = 0, all = ~0ULL;
    bool masks = mask && !sm_seccomp_forbids(SM_CALL_SIGPROCMASK);

    if (masks)
        sm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
    holding = true;
    if (wait)
        sm_lock_take(&lock);
    else
        holding = sm_lock_try(&lock);
    if (holding) {
        masked = masks;
        signals = before;
    } else if (masks) {
        sm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
    }
    return holding;
}

void sm_fork_hold(bool mask)
{
    hold(mask, true);
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

#define YIELD_DOZES 10
#define GATE_DOZES  500 /* 20 us each; a thread inside may want the stream lock */

/*
 * If the heap has not started, no filter is known either, and no signals are blocked. A signal
 * handler that forks then finds its own thread holding the lock, and there is nothing to copy.
 */
static void hold_for_fork(void)
{
    bool started = sm_heap_started();

    sm_fork_hold(started);
    if (!started && sm_heap_started()) {
        sm_fork_release();
        sm_fork_hold(true);
    }
}

/*
 * Takes the stream list, the fork lock and the gate, in this order. fork() takes the stream
 * list after all prepare handlers. A thread that has it may be in a stream's own write function
 * and allocate there, so it is taken before the gate is closed, and that thread finishes first.
 * A thread that was interrupted inside the allocator by a handler that forks may want the
 * stream list. All three are then released for a moment.
 */
bool sm_fork_stop_others(bool by_libc)
{
    bool stdio;

    for (;;) {
        stdio = by_libc && sm_stream_list_lock();
        hold_for_fork();
        if (!sm_heap_started() || sm_gate_close(stdio ? GATE_DOZES : UINT_MAX))
            return stdio;
        sm_gate_open();
        sm_fork_release();
        if (stdio)
            sm_stream_list_unlock();
        /* The C library's lock is not fair: a thread that waits for it needs time to wake. */
        for (int i = 0; i < YIELD_DOZES; i++)
            sm_gate_doze();
    }
}

#define STOP_DOZES 500 /* 20 us each */

/* Does not wait for the lock: its holder may need what this thread's caller holds. */
bool sm_fork_stop_threads(void)
{
    uint64_t calls = SM_CALL_BIT(SM_CALL_FUTEX) | SM_CALL_BIT(SM_CALL_MEMBARRIER);

    if (sm_seccomp_forbids_any(calls) || holding || sm_inside_now() || sm_is_rawfork_child() ||
        !hold(true, false))
        return false;
    if (sm_gate_close(STOP_DOZES))
        return true;
    sm_fork_let_threads_go();
    return false;
}

void sm_fork_let_threads_go(void)
{
    sm_gate_open();
    sm_fork_release();
}
