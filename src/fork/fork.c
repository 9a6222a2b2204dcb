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
#include "fork/fork_shared.h"
#include "fork/spares.h"
#include "fork/stream_list.h"
#include "heap/malloc.h"
#include "heap/thread_stocks.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/helper_process.h"
#include "os/pages.h"
#include "os/vector_registers.h"
#include <errno.h>
#include <pthread.h>
#include <sys/single_threaded.h>

int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);

static struct {
    bool started;   /* the heap has started, and there may be secrets to copy */
    bool copying;   /* there are secrets to copy */
    bool ahead;     /* the copy is already made */
    bool inherits;  /* the child inherits the arena at first */
    bool caught_up; /* in a child: the handler's work is already done */
    bool stdio;     /* this library holds the lock of the C library's stream list */
    bool answered;  /* the result is known, because this is no fork() */
    bool failed;    /* the result: the fork failed */
    struct sm_fork_shared *shared;
    void *kept; /* the parent's page for forks, which a child unmaps */
    int error;  /* errno before the fork */
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
    if (!sm_arena_inherit(false) && forking.inherits)
        sm_lapse(
            SM_LAPSE_INHERITED,
            "secret memory cannot be withheld from children (madvise): a child of _Fork shares "
            "it with this process; raise the sysctl vm.max_map_count, or allow madvise in the "
            "filter");
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
    sm_external_fork_prepare();
    forking.copying = sm_fork_has_secrets();
    forking.ahead = forking.copying && sm_fork_ahead_make(innermost || !by_libc);
    if (forking.ahead) {
        forking.inherits = sm_arena_inherit_ordinary(true);
        sm_window_open(true);
        errno = 0;
        return;
    }
    if (forking.copying)
        forking.shared = sm_fork_shared_take();
    /*
     * A child that cannot copy must not share the secrets: it inherits nothing, and ends (see
     * after_in_child).
     */
    if (forking.copying && !forking.shared)
        sm_arena_inherit(false);
    else
        forking.inherits = sm_arena_inherit(true);
    /*
     * A child that does not get the arena from the kernel cannot copy either, and the parent
     * does not wait for it.
     */
    if (forking.shared && !forking.inherits) {
        sm_fork_shared_keep(forking.shared);
        forking.shared = NULL;
    }
    sm_window_open(!forking.copying);
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

    if (forking.ahead) {
        sm_count(&sm_stats.forks, forking.answered ? !forking.failed : failure == 0);
        sm_fork_ahead_end();
        sm_arena_inherit_ordinary(false);
    } else {
        withhold_again();
    }
    if (forking.shared && was_born(failure))
        sm_fork_shared_wait(forking.shared);
    if (forking.shared)
        sm_fork_shared_keep(forking.shared);
    if (is_without_copy() && (forking.answered ? !forking.failed : failure == 0)) {
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

static void copy_secrets(void)
{
    struct sm_fork_shared *shared = forking.shared;
    struct sm_fork_copy copy = {
        .progress = sm_fork_shared_progress(shared),
        .threads = !__libc_single_threaded,
        .deny = sm_settings.fork == SM_FORK_DENY,
    };
    const char *error = NULL;
    bool on_time = sm_fork_shared_begin(shared);

    if (on_time) {
        error = sm_fork_copy_make(&copy);
        if (error)
            sm_exit_refused("%s: this child ends", error);
        on_time = sm_fork_shared_done(shared);
    }
    /* The data that was read may have changed since. */
    if (!on_time)
        sm_exit_refused(
            "the parent did not wait for this child's copy of the secrets: this child ends");
    sm_fork_shared_end(shared);
    error = sm_fork_copy_place(&copy);
    if (error)
        sm_exit_refused("%s: this child ends", error);
    sm_stats.fork_pages = copy.pages;
    /*
     * Otherwise the next signal would write the bytes that the copy left in the registers to
     * this child's stack.
     */
    sm_clear_vector_registers();
}

static void after_in_child(void)
{
    const char *error = NULL;
    uint64_t blocks = 0;
    int64_t bytes = 0;

    errno = forking.error;
    sm_pku_open();
    sm_helper_alone(true);
    if (is_without_copy())
        sm_exit_refused(
            "the secrets cannot be copied at fork (no memory, or a filter forbids it): "
            "this child ends");
    sm_stats_of_child();
    sm_stats.lapses[SM_LAPSE_CHILD] = 0;
    if (forking.ahead)
        error = sm_fork_ahead_place(&sm_stats.fork_pages);
    else if (forking.shared)
        copy_secrets();
    if (error)
        sm_exit_refused("%s: this child ends", error);
    sm_sealed_child();
    sm_probe(fork_copy, sm_stats.fork_pages);
    sm_spares_forget(forking.ahead);
    if (sm_settings.fork == SM_FORK_DENY &&
        ((sm_arena.span && !sm_fork_withhold_keys(SM_PART_BYTES)) ||
         !sm_external_fork_withhold()))
        sm_exit_refused("key material could not be withheld from this child: this child ends");
    sm_fork_rebuild(&blocks, &bytes);
    /* A child starts closed, also where its parent forks in the middle of a window. */
    sm_pku_close(sm_pku_is_on());
    withhold_again();
    if (forking.shared || forking.kept)
        sm_pages_unmap(forking.shared ? forking.shared : forking.kept, sm_os_page);
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
        after_in_child();
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
    after_in_child();
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
