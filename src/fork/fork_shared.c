/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/fork_shared.h"
#include "base/counters.h"
#include "fork/fork.h"
#include "heap/thread_cache.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/coarse_clock.h"
#include "os/pages.h"
#include "os/process_age.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <linux/futex.h>
#include <sys/wait.h>
#include <time.h>

/*
 * Values of the word that parent and child share. Any other value is the child's thread number
 * and FUTEX_WAITERS.
 */
#define WORD_START     0
#define WORD_DONE      FUTEX_WAITERS
#define WORD_ABANDONED FUTEX_TID_MASK
#define PATIENCE       5  /* seconds without progress */
#define SLICES         10 /* slices of a second */
#define START_SLICES   10 /* for a child to show itself */

struct sm_fork_shared {
    uint32_t word;
    uint32_t progress;
    struct robust_list_head robust;
    struct robust_list node;
};

/*
 * State of a child, kept out of the page because the parent reuses the page once the child is
 * done.
 */
static void *old_list;
static bool registered;

static long dead_before; /* a child that was dead when the fork began, 0: none */
static uint64_t began;   /* the time at which it began (sm_coarse_clock), 0: unknown */

/* Whether no filter forbids what parent and child need. */
static bool shared_is_possible(void)
{
    return !sm_seccomp_forbids(SM_CALL_MMAP) && !sm_seccomp_forbids(SM_CALL_MUNMAP) &&
           !sm_seccomp_forbids(SM_CALL_FUTEX);
}

/*
 * Whether there is no child to wait for, dead or alive. If there is none, a clone that may have
 * failed did fail.
 */
static bool has_no_children(void)
{
    siginfo_t info;

    return !sm_seccomp_forbids(SM_CALL_WAITID) &&
           sm_sys(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) ==
               -ECHILD;
}

/*
 * Returns the number of a child that is dead and was not waited for, or 0 if there is none.
 * Does not reap the child.
 */
static long dead_child(void)
{
    siginfo_t info = {0};

    if (sm_seccomp_forbids(SM_CALL_WAITID) ||
        sm_sys(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) != 0)
        return 0;
    return info.si_pid;
}

struct sm_fork_shared *sm_fork_shared_take(void)
{
    struct sm_fork_shared *shared = sm_own ? sm_own->spare : NULL;

    if (!shared_is_possible())
        return NULL;
    if (shared)
        sm_own->spare = NULL;
    else
        shared = sm_pages_shared(sm_os_page);
    if (shared) {
        dead_before = dead_child();
        began = sm_coarse_clock();
    }
    return shared;
}

void sm_fork_shared_keep(struct sm_fork_shared *shared)
{
    uint32_t word = __atomic_load_n(&shared->word, __ATOMIC_ACQUIRE);

    if (!sm_own || (word != WORD_DONE && word != WORD_START)) {
        sm_pages_unmap(shared, sm_os_page);
        return;
    }
    *shared = (struct sm_fork_shared){.word = WORD_START};
    sm_own->spare = shared;
}

void sm_fork_start(void)
{
    if (sm_own && !sm_own->spare && shared_is_possible())
        sm_own->spare = sm_pages_shared(sm_os_page);
}

static bool word_change(struct sm_fork_shared *shared, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&shared->word, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static bool over(uint32_t word)
{
    return word == WORD_DONE || word & FUTEX_OWNER_DIED;
}

/*
 * Whether a child was killed before it could register. Only the dead child itself shows this.
 * An older child that ended meanwhile says nothing about this one, which may still wait for a
 * processor.
 */
static bool new_dead_child(void)
{
    long dead = dead_child();

    return dead != 0 && dead != dead_before &&
           sm_process_age(dead) <= sm_coarse_clock() - began + SM_AGE_ERROR;
}

void sm_fork_shared_wait(struct sm_fork_shared *shared)
{
    struct timespec slice = {0, 1000000000 / SLICES};
    uint32_t word, progress = 0, idle = 0;
    bool dead;

    for (;;) {
        word = __atomic_load_n(&shared->word, __ATOMIC_ACQUIRE);
        if (over(word))
            break;
        if (sm_sys(SYS_futex, &shared->word, FUTEX_WAIT, word, &slice) != -ETIMEDOUT)
            continue;
        if (progress != __atomic_load_n(&shared->progress, __ATOMIC_RELAXED)) {
            progress = __atomic_load_n(&shared->progress, __ATOMIC_RELAXED);
            idle = 0;
            continue;
        }
        idle++;
        dead = word == WORD_START && idle >= START_SLICES && new_dead_child();
        if (idle < PATIENCE * SLICES && !dead)
            continue;
        if (word_change(shared, word, WORD_ABANDONED)) {
            if (!dead)
                sm_log("a forked child made no progress for %d s in copying its secrets: the "
                       "parent continues without it, and the child ends",
                       PATIENCE);
            break;
        }
    }
    sm_count(word == WORD_DONE ? &sm_stats.forks : &sm_stats.fork_failed, 1);
    if (word != WORD_DONE)
        sm_lapse_count(SM_LAPSE_CHILD);
}

bool sm_fork_shared_used(struct sm_fork_shared *shared, int failure)
{
    struct timespec slice = {0, 1000000000 / SLICES};

    if (failure != EAGAIN && failure != ENOMEM && failure != EPERM && failure != ENOSPC)
        return true;
    for (int i = 0;
         i < START_SLICES && __atomic_load_n(&shared->word, __ATOMIC_ACQUIRE) == WORD_START &&
         !has_no_children();
         i++)
        sm_sys(SYS_futex, &shared->word, FUTEX_WAIT, WORD_START, &slice);
    return !word_change(shared, WORD_START, WORD_ABANDONED);
}

/* Registers the word, so that the kernel marks it and wakes the parent if this process dies. */
static bool robust_begin(struct sm_fork_shared *shared)
{
    size_t length;

    old_list = NULL;
    if (sm_seccomp_forbids(SM_CALL_GET_ROBUST_LIST) ||
        sm_seccomp_forbids(SM_CALL_SET_ROBUST_LIST))
        return false;
    shared->robust.list.next = &shared->node;
    shared->node.next = &shared->robust.list;
    shared->robust.futex_offset = (char *)&shared->word - (char *)&shared->node;
    shared->robust.list_op_pending = NULL;
    /* A child of a raw system call has no list: NULL, which is restored as well. */
    return sm_sys(SYS_get_robust_list, 0, &old_list, &length) == 0 &&
           sm_sys(SYS_set_robust_list, &shared->robust, sizeof(shared->robust)) == 0;
}

volatile uint32_t *sm_fork_shared_progress(struct sm_fork_shared *shared)
{
    return &shared->progress;
}

/*
 * The value of a child's word. The thread number tells the kernel the owner; without it, any
 * number will do.
 */
static uint32_t word_of_child(void)
{
    return (sm_seccomp_forbids(SM_CALL_GETTID) ? 1 : (uint32_t)sm_sys(SYS_gettid)) |
           FUTEX_WAITERS;
}

bool sm_fork_shared_begin(struct sm_fork_shared *shared)
{
    registered = robust_begin(shared);
    return word_change(shared, WORD_START, word_of_child());
}

bool sm_fork_shared_done(struct sm_fork_shared *shared)
{
    return word_change(shared, word_of_child(), WORD_DONE);
}

void sm_fork_shared_end(struct sm_fork_shared *shared)
{
    sm_sys(SYS_futex, &shared->word, FUTEX_WAKE, 1);
    if (registered)
        sm_sys(SYS_set_robust_list, old_list, sizeof(struct robust_list_head));
}
