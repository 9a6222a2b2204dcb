/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/fork.h"
#include "arena/backing.h"
#include "arena/fork_window.h"
#include "arena/sealed.h"
#include "arena/wiped.h"
#include "base/counters.h"
#include "base/probe.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "fork/fork_ahead.h"
#include "fork/fork_inherit.h"
#include "fork/fork_kernel_copy.h"
#include "fork/fork_later.h"
#include "fork/fork_shared.h"
#include "fork/spares.h"
#include "fork/stream_list.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "heap/thread_stocks.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/fork_copies.h"
#include "os/helper_process.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include <errno.h>
#include <pthread.h>

int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);

/* Who makes the child's copy of the secrets. */
enum copy {
    COPY_NONE,   /* there are no secrets */
    COPY_CHILD,  /* the child, while its parent waits */
    COPY_AHEAD,  /* the parent, before the clone */
    COPY_KERNEL, /* the kernel, page by page */
};

static struct {
    bool started; /* the heap has started, and there may be secrets to copy */
    enum copy copy;
    bool inherits;  /* the child inherits the arena at first */
    bool caught_up; /* in a child: the handler's work is already done */
    bool stdio;     /* this library holds the lock of the C library's stream list */
    bool answered;  /* the result is known, because this is no fork() */
    bool failed;    /* the result: the fork failed */
    struct sm_fork_shared *shared;
    void *kept;      /* the parent's page for forks, which a child unmaps */
    int error;       /* errno before the fork */
    uint64_t blocks; /* live ones, for COPY_KERNEL */
    int64_t bytes;   /* of live blocks, likewise */
} forking;

void (*sm_fork_after)(bool child);

static bool innermost; /* no handler of the program runs between this library's and clone */

/* The atfork handlers below handle this thread's fork. */
static __thread bool announced __attribute__((tls_model("initial-exec")));

/* Forks of this thread while it holds the lock. */
static __thread unsigned nested __attribute__((tls_model("initial-exec")));

/*
 * Withholds the secrets from children again, because after a fork only this process should have
 * its secrets. If the kernel refuses for lack of mappings, the next fork tries again.
 */
static void withhold_again(void)
{
    if (!sm_arena_inherit(false) && forking.inherits && forking.copy != COPY_KERNEL)
        sm_lapse(
            SM_LAPSE_INHERITED,
            "secret memory cannot be withheld from children (madvise): a child of _Fork shares "
            "it with this process; raise the sysctl vm.max_map_count, or allow madvise in the "
            "filter");
}

/* alone: no handler of the program runs between this call and the clone. */
static void choose_copy(bool alone)
{
    uint64_t frees;

    if (sm_fork_has_secrets() && sm_kernel_copies()) {
        forking.copy = COPY_KERNEL;
        sm_thread_caches_sum_stopped(&forking.blocks, &frees, &forking.bytes);
        forking.blocks -= frees;
        return;
    }
    sm_external_fork_prepare();
    if (!sm_fork_has_secrets())
        forking.copy = COPY_NONE;
    else
        forking.copy = sm_fork_ahead_make(alone) ? COPY_AHEAD : COPY_CHILD;
}

/*
 * Lets the child see the secrets until it has copied them. A child that cannot copy must not
 * share the secrets: it inherits nothing, and ends (see after_in_child).
 */
static void share_for_copy(void)
{
    forking.shared = sm_fork_shared_take();
    if (!forking.shared) {
        sm_arena_inherit(false);
        return;
    }
    forking.inherits = sm_arena_inherit(true);
    /*
     * A child that does not get the arena from the kernel cannot copy either, and the parent
     * does not wait for it.
     */
    if (!forking.inherits) {
        sm_fork_shared_keep(forking.shared);
        forking.shared = NULL;
    }
}

static void prepare_for(bool by_libc)
{
    int error = errno;

    /*
     * In a handler of a signal that interrupted this thread in malloc, this library can neither
     * copy nor wait, because another thread's fork may hold the lock and wait for this thread
     * to leave. In an unannounced child there is nothing to copy.
     */
    if (sm_fork_holds())
        nested++;
    if (sm_fork_holds() || sm_inside_now() || sm_is_rawfork_child())
        return;
    sm_fork_catch_up();
    /* Each child would end in its copy, and this process would go on. */
    sm_wiped_touch();
    forking.stdio = sm_fork_stop_others(by_libc);
    forking.started = sm_heap_started();
    announced = true;
    if (!forking.started)
        return;
    forking.error = error;
    forking.caught_up = forking.answered = false;
    forking.shared = NULL;
    forking.kept = sm_own ? sm_own->spare : NULL;
    forking.inherits = false;
    choose_copy(innermost || !by_libc);
    if (forking.copy == COPY_AHEAD)
        forking.inherits = sm_arena_inherit_ordinary(true);
    else if (forking.copy == COPY_CHILD)
        share_for_copy();
    else
        forking.inherits = sm_arena_inherit(true);
    sm_window_open(forking.copy == COPY_NONE || forking.copy == COPY_AHEAD);
    /*
     * The parent's handler uses errno to learn whether there is a child (see after_in_parent).
     */
    errno = 0;
}

static void fork_prepare(void)
{
    prepare_for(true);
}

static void finish(bool in_child)
{
    sm_window_close();
    if (!sm_fork_is_postponed())
        sm_gate_open();
    if (sm_fork_after)
        sm_fork_after(in_child);
    sm_heap_free_deferred();
}

static bool was_born(int failure)
{
    if (forking.answered)
        return !forking.failed;
    return failure == 0 || sm_fork_shared_used(forking.shared, failure);
}

/* Whether the child cannot have the secrets, and therefore ends. */
static bool is_without_copy(void)
{
    return !forking.inherits && sm_arena.mapped;
}

static void after_in_parent(void)
{
    /*
     * fork() runs this handler after a failed clone as well, and reports the failure only to
     * its caller. But the failed system call set errno, and no other code set errno since
     * prepare.
     */
    int failure = errno;

    bool child = forking.answered ? !forking.failed : failure == 0;

    if (forking.copy == COPY_AHEAD) {
        sm_count(&sm_stats.forks, child);
        sm_fork_ahead_end();
        sm_arena_inherit_ordinary(false);
    } else {
        withhold_again();
    }
    if (forking.copy == COPY_KERNEL && forking.inherits) {
        sm_count(&sm_stats.forks, child);
        sm_count(&sm_stats.forks_by_kernel, child);
    }
    if (forking.shared && was_born(failure))
        sm_fork_shared_wait(forking.shared);
    if (forking.shared)
        sm_fork_shared_keep(forking.shared);
    if (is_without_copy() && child) {
        sm_count(&sm_stats.fork_failed, 1);
        sm_lapse_count(SM_LAPSE_CHILD); /* The child writes the line. */
    }
    finish(false);
    errno = failure ? failure : forking.error;
}

/* Whether the handlers are called for a fork that fork_prepare() ignored. */
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
        sm_stream_list_unlock();
}

/*
 * Where the kernel makes the copy, the tables are rebuilt when somebody enters the allocator,
 * which a child that only calls exec never does. What must be done at once postpones nothing:
 * memory is to be withheld or cleared, or locked again. now: this thread is about to enter.
 */
static bool can_postpone(bool now)
{
    bool locked = sm_stats.pages[SM_KIND_LOCKED] || sm_stats.pages[SM_KIND_PLAIN];

    return forking.copy == COPY_KERNEL && !now && !locked && sm_settings.zero &&
           !sm_settings.trace && sm_settings.fork != SM_FORK_DENY &&
           !sm_seccomp_forbids(SM_CALL_SIGPROCMASK) && !sm_kernel_copies_limited();
}

static void after_in_child(bool now)
{
    bool deny = sm_settings.fork == SM_FORK_DENY;
    const char *error = NULL;
    bool later = can_postpone(now);
    uint64_t blocks = later ? forking.blocks : 0;
    int64_t bytes = later ? forking.bytes : 0;

    errno = forking.error;
    sm_pku_open();
    sm_helper_alone(true);
    if (is_without_copy())
        sm_exit_refused(
            "the secrets cannot be copied at fork (no memory, or a filter forbids it): "
            "this child ends");
    sm_stats_of_child();
    sm_stats.lapses[SM_LAPSE_CHILD] = 0;
    if (forking.copy == COPY_AHEAD)
        error = sm_fork_ahead_place(&sm_stats.fork_pages);
    else if (forking.copy == COPY_KERNEL)
        error = sm_fork_kernel_copy_take(deny);
    else if (forking.shared)
        sm_fork_copy_secrets(forking.shared);
    if (error)
        sm_exit_refused("%s: this child ends", error);
    sm_sealed_child();
    sm_probe(fork_copy, sm_stats.fork_pages);
    sm_spares_forget(forking.copy == COPY_AHEAD);
    if (deny && ((sm_arena.span && !sm_fork_withhold_keys(SM_PART_BYTES)) ||
                 !sm_external_fork_withhold()))
        sm_exit_refused("key material could not be withheld from this child: this child ends");
    if (later)
        sm_fork_postpone(blocks, bytes);
    else
        sm_fork_rebuild(forking.copy == COPY_KERNEL, &blocks, &bytes);
    /* A child starts closed, also where its parent forks in the middle of a window. */
    sm_pku_close(sm_pku_is_on());
    withhold_again();
    if (forking.shared || forking.kept)
        sm_pages_unmap(forking.shared ? forking.shared : forking.kept, sm_os_page);
    if (!later)
        sm_fork_start();
    sm_thread_cache_after_fork(blocks, 0, bytes);
    sm_helper_alone(false);
    finish(true);
}

static void child(void)
{
    bool stdio;

    if (passed())
        return;
    stdio = forking.stdio;
    if (forking.started && !forking.caught_up)
        after_in_child(false);
    announced = false;
    sm_fork_release_in_child();
    if (stdio)
        sm_stream_list_reset();
}

/*
 * No stream lock is taken, because such a fork does not lock the stream list, and in a signal
 * handler the lock may be held already.
 */
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

/*
 * Called when an atfork handler of the program that runs before this library's handler
 * allocates. Does this library's work in the child now.
 */
static bool catch_up(void)
{
    if (!announced || !forking.started || forking.caught_up)
        return false;
    forking.caught_up = true;
    after_in_child(true);
    return true;
}

void sm_fork_innermost(void)
{
    innermost = true;
}

void sm_fork_init(void)
{
    static bool registered;

    /*
     * As pthread_atfork(), but for no object, because this library is not unloaded. Its
     * handlers must not be removed when exit() runs its destructor while another thread forks.
     */
    sm_window_catch_up = catch_up;
    sm_backing_reclaim = sm_spares_release;
    sm_stocks_stop = sm_fork_stop_threads;
    sm_stocks_go_on = sm_fork_let_threads_go;
    if (!registered)
        __register_atfork(fork_prepare, parent, child, NULL);
    registered = true;
}
