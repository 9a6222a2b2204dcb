/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/fork.h"
#include "arena/backing.h"
#include "arena/fork_window.h"
#include "arena/guard_pages.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "fork/fork_inherit.h"
#include "heap/malloc.h"
#include "heap/slab.h"
#include "heap/thread_cache.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/helper_process.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include "os/vector_registers.h"
#include "stacktrace/fatal.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/wait.h>
#include <time.h>

/* Weak: a C library without them is none that locks its streams. */
void _IO_list_lock(void) __attribute__((weak));
void _IO_list_unlock(void) __attribute__((weak));
void _IO_list_resetlock(void) __attribute__((weak));
int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);

/* The word that parent and child share; else the child's thread number and FUTEX_WAITERS. */
#define WORD_START     0
#define WORD_DONE      FUTEX_WAITERS
#define WORD_ABANDONED FUTEX_TID_MASK
#define PATIENCE       5   /* seconds without progress */
#define GATE_DOZES     500 /* 20 us each, until a thread that is inside may want what we hold */
#define SLICES         10  /* of a second */
#define START_SLICES   10  /* for a child to show itself, if one was seen to have died */

struct shared {
    uint32_t word;
    uint32_t progress;
    struct robust_list_head robust;
    struct robust_list node;
};

static struct {
    bool started;   /* a libcrypto has come, and there may be something to copy */
    bool copying;   /* there are secrets to copy */
    bool inherits;  /* the child has the arena at first */
    bool caught_up; /* in a child: what our handler does is done already */
    bool stdio;     /* the C library's list of streams is locked by us */
    bool answered;  /* how it came out is known: it was no fork() */
    bool failed;    /* and that is how */
    struct shared *shared;
    void *kept; /* the page that its parent has for forks: a child unmaps it */
    int error;  /* its errno */
    long dead;  /* a child of this process that was dead before, 0: none */
} forking;

/* This thread's fork goes by the handlers below. */
static __thread bool announced __attribute__((tls_model("initial-exec")));

/* Its forks while it holds the lock */
static __thread unsigned nested __attribute__((tls_model("initial-exec")));

/*
 * After a fork nobody but this process is to have its secrets. Where the kernel does not do it,
 * for want of mappings, the next fork tries again.
 */
static void withhold_again(void)
{
    if (!sm_arena_inherit(false) && forking.inherits)
        sm_lapse(
            SM_LAPSE_INHERITED,
            "secret memory cannot be withheld from children (madvise): one of _Fork shares it "
            "with this process; raise the sysctl vm.max_map_count, or allow madvise in the "
            "filter");
}

static bool calls_allowed(void)
{
    return !sm_seccomp_forbids(SM_CALL_MMAP) && !sm_seccomp_forbids(SM_CALL_MUNMAP) &&
           !sm_seccomp_forbids(SM_CALL_FUTEX);
}

/* Nobody to be waited for, dead or alive: then a clone that may have failed did. */
static bool has_no_children(void)
{
    siginfo_t info;

    return !sm_seccomp_forbids(SM_CALL_WAITID) &&
           sm_sys(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) ==
               -ECHILD;
}

/* The number of a child that is dead and was not waited for; 0: none is. It stays so. */
static long dead_child(void)
{
    siginfo_t info = {0};

    if (sm_seccomp_forbids(SM_CALL_WAITID) ||
        sm_sys(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) != 0)
        return 0;
    return info.si_pid;
}

/*
 * The lock of the C library's list of streams, which fork() takes itself after all handlers of
 * prepare. Whoever holds it may be in a stream's own write function, and allocate there: so it
 * is taken before the gate is closed, and that thread comes to its end first. The lock is
 * recursive.
 */
static bool stdio_lock(void)
{
    bool locks =
        !__libc_single_threaded && _IO_list_lock && _IO_list_unlock && _IO_list_resetlock;

    if (locks)
        _IO_list_lock();
    return locks;
}

/*
 * Where nothing is started, nothing is known of a filter either, and no signal is held back: a
 * handler that forks finds its own thread holding the lock, and there is nothing to copy.
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
 * The list of streams, the lock of fork, the gate. A thread that was interrupted inside the
 * allocator by a handler that forks may want the first of them: then all is let go for a
 * moment.
 */
static void stop_others(bool by_libc)
{
    bool stdio;

    for (;;) {
        stdio = by_libc && stdio_lock();
        hold_for_fork();
        forking.stdio = stdio;
        forking.started = sm_heap_started();
        if (!forking.started || sm_gate_close(stdio ? GATE_DOZES : UINT_MAX))
            return;
        sm_gate_open();
        sm_fork_release();
        if (stdio)
            _IO_list_unlock();
    }
}

/*
 * A page is kept for the next fork, so that none fails for want of it: whoever limits what a
 * process may map does that later. A child that nobody announced must not use its parent's.
 */
static struct shared *take_shared(void)
{
    struct shared *shared = sm_own ? sm_own->spare : NULL;

    if (shared)
        sm_own->spare = NULL;
    return shared ? shared : sm_pages_shared(sm_os_page);
}

/* A child that was given up, or died, may still write to it. */
static void keep_shared(struct shared *shared)
{
    uint32_t word = __atomic_load_n(&shared->word, __ATOMIC_ACQUIRE);

    if (!sm_own || (word != WORD_DONE && word != WORD_START)) {
        sm_pages_unmap(shared, sm_os_page);
        return;
    }
    *shared = (struct shared){.word = WORD_START};
    sm_own->spare = shared;
}

void sm_fork_start(void)
{
    if (sm_own && !sm_own->spare && calls_allowed())
        sm_own->spare = sm_pages_shared(sm_os_page);
}

static void prepare_for(bool by_libc)
{
    int error = errno;

    /*
     * Nothing can be copied in a handler of a signal that came while this thread was in malloc,
     * nor waited for: another thread's fork may hold the lock, and wait for this one to leave.
     * And there is nothing to copy in a child that nobody announced.
     */
    if (sm_fork_holds())
        nested++;
    if (sm_fork_holds() || sm_inside_now() || sm_is_rawfork_child())
        return;
    stop_others(by_libc);
    announced = true;
    if (!forking.started)
        return;
    forking.error = error;
    forking.caught_up = forking.answered = false;
    forking.shared = NULL;
    forking.kept = sm_own ? sm_own->spare : NULL;
    forking.inherits = false;
    forking.copying = sm_fork_has_secrets();
    if (forking.copying && calls_allowed())
        forking.shared = take_shared();
    if (forking.shared)
        forking.dead = dead_child();
    /* A child that cannot copy must not share: it finds nothing, and ends (see child). */
    if (forking.copying && !forking.shared)
        sm_arena_inherit(false);
    else
        forking.inherits = sm_arena_inherit(true);
    /* Nor one to which the kernel does not give it: nobody waits for that. */
    if (forking.shared && !forking.inherits) {
        keep_shared(forking.shared);
        forking.shared = NULL;
    }
    sm_window_open(!forking.copying);
    /* How the parent's handler learns whether there is a child at all: see there. */
    errno = 0;
}

static void fork_prepare(void)
{
    prepare_for(true);
}

static void finish(void)
{
    void *block;

    sm_window_close();
    sm_gate_open();
    while ((block = sm_window_take_deferred()))
        sm_free(block);
}

static bool word_change(struct shared *shared, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&shared->word, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static bool over(uint32_t word)
{
    return word == WORD_DONE || word & FUTEX_OWNER_DIED;
}

/* Killed before it could register: nothing tells but that there is a dead child. */
static bool new_dead_child(void)
{
    long dead = dead_child();

    return dead != 0 && dead != forking.dead;
}

static void wait_for_child(struct shared *shared)
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
        if (__atomic_compare_exchange_n(&shared->word, &word, WORD_ABANDONED, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            if (!dead)
                sm_log("a forked child made no progress for %d s in copying its secrets: it "
                       "is given up",
                       PATIENCE);
            break;
        }
    }
    sm_count(word == WORD_DONE ? &sm_stats.forks : &sm_stats.fork_failed, 1);
    if (word != WORD_DONE)
        sm_lapse_count(SM_LAPSE_CHILD);
}

/*
 * errno is not 0: the clone failed, or some handler of the program's that was called before
 * ours left something there. A clone fails with few errors; where it is one of these, a child
 * shows itself soon if there is one, and none is if it does not.
 */
static bool there_is_a_child(struct shared *shared, int failure)
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

static bool was_born(int failure)
{
    if (forking.answered)
        return !forking.failed;
    return failure == 0 || there_is_a_child(forking.shared, failure);
}

static void after_in_parent(void)
{
    /*
     * fork() runs this handler after a failed clone as well, and says so only to its
     * caller. But the failed system call set errno, and nothing else did since prepare.
     */
    int failure = errno;

    withhold_again();
    if (forking.shared && was_born(failure))
        wait_for_child(forking.shared);
    if (forking.shared)
        keep_shared(forking.shared);
    errno = failure ? failure : forking.error;
    finish();
}

/* Whether the handlers are called for a fork that fork_prepare() let pass. */
static bool passed(void)
{
    if (nested == 0)
        return !announced;
    nested--;
    return true;
}

static void parent(void)
{
    bool stdio;

    if (passed())
        return;
    stdio = forking.stdio;
    if (forking.started)
        after_in_parent();
    announced = false;
    sm_fork_release();
    if (stdio)
        _IO_list_unlock();
}

/* If this process dies, the kernel marks the word and wakes the parent. */
static bool robust_begin(struct shared *shared, void **old)
{
    size_t length;

    *old = NULL;
    if (sm_seccomp_forbids(SM_CALL_GET_ROBUST_LIST) ||
        sm_seccomp_forbids(SM_CALL_SET_ROBUST_LIST))
        return false;
    shared->robust.list.next = &shared->node;
    shared->node.next = &shared->robust.list;
    shared->robust.futex_offset = (char *)&shared->word - (char *)&shared->node;
    shared->robust.list_op_pending = NULL;
    /* A child of a system call has none: NULL, which is put back as well. */
    return sm_sys(SYS_get_robust_list, 0, old, &length) == 0 &&
           sm_sys(SYS_set_robust_list, &shared->robust, sizeof(shared->robust)) == 0;
}

static void robust_end(void *old)
{
    sm_sys(SYS_set_robust_list, old, sizeof(struct robust_list_head));
}

static void copy_secrets(void)
{
    struct shared *shared = forking.shared;
    struct sm_fork_copy copy = {
        .progress = &shared->progress,
        .threads = !__libc_single_threaded,
        .deny = sm_settings.fork == SM_FORK_DENY,
    };
    /* The number tells the kernel whose word it is; without it, any will do. */
    uint32_t mine = sm_seccomp_forbids(SM_CALL_GETTID) ? 1 : (uint32_t)sm_sys(SYS_gettid);
    void *robust;
    bool registered = robust_begin(shared, &robust);
    const char *error = NULL;
    bool on_time = word_change(shared, WORD_START, mine | FUTEX_WAITERS);

    if (on_time) {
        error = sm_fork_copy_make(&copy);
        if (error)
            sm_exit_refused("%s: this child ends", error);
        on_time = word_change(shared, mine | FUTEX_WAITERS, WORD_DONE);
    }
    /* What was read may have changed since. */
    if (!on_time)
        sm_exit_refused(
            "the parent did not wait for this child's copy of the secrets: it ends");
    sm_sys(SYS_futex, &shared->word, FUTEX_WAKE, 1);
    if (registered)
        robust_end(robust);
    error = sm_fork_copy_place(&copy);
    if (error)
        sm_fatal(error, NULL);
    sm_stats.fork_pages = copy.pages;
    /* The next signal would write what the copy left there to this child's stack. */
    sm_clear_vector_registers();
}

static void after_in_child(void)
{
    uint64_t blocks = 0;
    int64_t bytes = 0;

    errno = forking.error;
    sm_helper_alone(true);
    if (!forking.inherits && sm_arena.mapped)
        sm_exit_refused(
            "the secrets cannot be copied at fork (no memory, or a filter forbids it): "
            "this child ends");
    sm_stats.forks = sm_stats.fork_pages = sm_stats.fork_failed = sm_stats.faults = 0;
    sm_stats.lapses[SM_LAPSE_CHILD] = 0;
    if (forking.shared)
        copy_secrets();
    if (sm_settings.fork == SM_FORK_DENY &&
        ((sm_arena.span && !sm_fork_withhold_keys(SM_PART_BYTES)) ||
         !sm_external_fork_withhold()))
        sm_exit_refused("key material could not be withheld from this child: it ends");
    sm_fork_rebuild(&blocks, &bytes);
    withhold_again();
    if (forking.shared)
        sm_pages_unmap(forking.shared, sm_os_page);
    else if (forking.kept)
        sm_pages_unmap(forking.kept, sm_os_page);
    sm_fork_start();
    sm_thread_cache_after_fork(blocks, 0, bytes);
    sm_helper_alone(false);
    finish();
}

static void child(void)
{
    bool stdio;

    if (passed())
        return;
    stdio = forking.stdio;
    if (forking.started && !forking.caught_up)
        after_in_child();
    announced = false;
    sm_fork_release_in_child();
    if (stdio)
        _IO_list_resetlock();
}

/* Nobody takes the list of streams in such a fork, and in a signal handler it may be taken. */
void sm_fork_begin(void)
{
    int error = errno;

    prepare_for(false);
    errno = error;
}

void sm_fork_end(long result)
{
    int error = errno;

    if (result == 0) {
        child();
    } else {
        if (announced) {
            forking.answered = true;
            forking.failed = result < 0;
        }
        parent();
    }
    errno = error;
}

/* A handler of the program's, called before ours, allocates: it needs what ours makes. */
static bool catch_up(void)
{
    if (!announced || !forking.started || forking.caught_up)
        return false;
    forking.caught_up = true;
    after_in_child();
    return true;
}

void sm_fork_init(void)
{
    static bool registered;

    /*
     * As pthread_atfork() does, but for no object: ours is not unloaded, and its handlers must
     * not go when exit() runs its destructor, while another thread forks.
     */
    sm_window_catch_up = catch_up;
    if (!registered)
        __register_atfork(fork_prepare, parent, child, NULL);
    registered = true;
}
