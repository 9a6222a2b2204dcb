/* SPDX-License-Identifier: Apache-2.0 */
#include "fork.h"
#include "backing.h"
#include "config.h"
#include "guard.h"
#include "heap.h"
#include "helper.h"
#include "outside.h"
#include "pages.h"
#include "report.h"
#include "seccomp.h"
#include "slab.h"
#include "stats.h"
#include "sys.h"
#include "thread_cache.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/wait.h>
#include <time.h>

int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);

/* The word that parent and child share; else the child's thread number and FUTEX_WAITERS. */
#define WORD_START     0
#define WORD_DONE      FUTEX_WAITERS
#define WORD_ABANDONED FUTEX_TID_MASK
#define PATIENCE       5  /* seconds without progress */
#define SLICES         10 /* of a second */
#define START_SLICES   10 /* for a child to show itself, if one was seen to have died */

struct shared {
    uint32_t word;
    uint32_t progress;
    struct robust_list_head robust;
    struct robust_list node;
};

static struct {
    bool started;  /* a libcrypto has come, and there may be something to copy */
    bool copying;  /* there are secrets to copy */
    bool inherits; /* the child has the arena at first */
    struct shared *shared;
    int error; /* its errno */
    long dead; /* a child of this process that was dead before, 0: none */
} forking;

/* This thread's fork goes by the handlers below. */
static __thread bool announced __attribute__((tls_model("initial-exec")));

/* Its forks while it holds the lock */
static __thread unsigned nested __attribute__((tls_model("initial-exec")));

static bool calls_allowed(void)
{
    return !sm_seccomp_forbids(SM_CALL_MMAP) && !sm_seccomp_forbids(SM_CALL_MUNMAP) &&
           !sm_seccomp_forbids(SM_CALL_FUTEX);
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

static void lock_all(void)
{
    sm_slab_lock_all();
    for (unsigned p = 0; p < SM_PARTS; p++)
        sm_lock_take(&sm_arena.part[p].lock);
}

static void unlock_all(void)
{
    for (unsigned p = SM_PARTS; p-- > 0;)
        sm_lock_drop(&sm_arena.part[p].lock);
    sm_slab_unlock_all();
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

static void prepare(void)
{
    int error = errno;

    /*
     * Nothing can be copied in a handler of a signal that came while this thread was in malloc,
     * nor waited for: another thread's fork may hold the lock, and wait for this one to leave.
     * And there is nothing to copy in a child that nobody announced.
     */
    if (sm_fork_holds())
        nested++;
    if (sm_fork_holds() || sm_inside_now() || sm_unannounced())
        return;
    hold_for_fork();
    announced = true;
    forking.started = sm_heap_started();
    if (!forking.started)
        return;
    forking.error = error;
    sm_gate_close();
    lock_all();
    forking.shared = NULL;
    forking.inherits = false;
    forking.copying = sm_fork_has_secrets();
    if (forking.copying && calls_allowed())
        forking.shared = sm_pages_shared(sm_os_page);
    if (forking.shared)
        forking.dead = dead_child();
    /* A child that cannot copy must not share: it finds nothing, and ends (see child). */
    if (forking.copying && !forking.shared)
        sm_arena_inherit(false);
    else
        forking.inherits = sm_arena_inherit(true);
    /* How the parent's handler learns whether there is a child at all: see there. */
    errno = 0;
}

static void finish(void)
{
    if (forking.shared)
        sm_pages_unmap(forking.shared, sm_os_page);
    sm_gate_open();
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
                sm_report("a forked child made no progress for %d s in copying its secrets: it "
                          "is given up",
                          PATIENCE);
            break;
        }
    }
    sm_count(word == WORD_DONE ? &sm_stats.forks : &sm_stats.fork_failed, 1);
}

static void after_in_parent(void)
{
    /*
     * fork() runs this handler after a failed clone as well, and says so only to its
     * caller. But the failed system call set errno, and nothing else did since prepare.
     */
    int failure = errno;

    sm_arena_inherit(false);
    /* Some other handler may have set errno: a child that began to copy is waited for. */
    if (forking.shared &&
        (failure == 0 || !word_change(forking.shared, WORD_START, WORD_ABANDONED)))
        wait_for_child(forking.shared);
    errno = failure ? failure : forking.error;
    unlock_all();
    finish();
}

/* Whether the handlers are called for a fork that prepare() let pass. */
static bool passed(void)
{
    if (nested == 0)
        return !announced;
    nested--;
    return true;
}

static void parent(void)
{
    if (passed())
        return;
    if (forking.started)
        after_in_parent();
    announced = false;
    sm_fork_release();
}

/* If this process dies, the kernel marks the word and wakes the parent. */
static void *robust_begin(struct shared *shared)
{
    void *old = NULL;
    size_t length;

    if (sm_seccomp_forbids(SM_CALL_GET_ROBUST_LIST) ||
        sm_seccomp_forbids(SM_CALL_SET_ROBUST_LIST))
        return NULL;
    shared->robust.list.next = &shared->node;
    shared->node.next = &shared->robust.list;
    shared->robust.futex_offset = (char *)&shared->word - (char *)&shared->node;
    shared->robust.list_op_pending = NULL;
    if (sm_sys(SYS_get_robust_list, 0, &old, &length) != 0 || !old)
        return NULL; /* It could not be put back. */
    sm_sys(SYS_set_robust_list, &shared->robust, sizeof(shared->robust));
    return old;
}

static void robust_end(void *old)
{
    if (old)
        sm_sys(SYS_set_robust_list, old, sizeof(struct robust_list_head));
}

static void copy_secrets(void)
{
    struct shared *shared = forking.shared;
    struct sm_fork_copy copy = {
        .progress = &shared->progress,
        .threads = !__libc_single_threaded,
        .deny = sm_config.fork == SM_FORK_DENY,
    };
    /* The number tells the kernel whose word it is; without it, any will do. */
    uint32_t mine = sm_seccomp_forbids(SM_CALL_GETTID) ? 1 : (uint32_t)sm_sys(SYS_gettid);
    void *robust = robust_begin(shared);
    const char *error = NULL;
    bool on_time = word_change(shared, WORD_START, mine | FUTEX_WAITERS);

    if (on_time) {
        error = sm_fork_copy_make(&copy);
        if (error)
            sm_refuse("%s: this child ends", error);
        on_time = word_change(shared, mine | FUTEX_WAITERS, WORD_DONE);
    }
    /* What was read may have changed since. */
    if (!on_time)
        sm_refuse("the parent did not wait for this child's copy of the secrets: it ends");
    sm_sys(SYS_futex, &shared->word, FUTEX_WAKE, 1);
    robust_end(robust);
    error = sm_fork_copy_place(&copy);
    if (error)
        sm_fatal(error, NULL);
    sm_stats.fork_pages = copy.pages;
}

static bool locked(uint32_t page)
{
    return sm_arena.pages[page].kind == SM_KIND_LOCKED && sm_arena.pages[page].present;
}

static int lock_range(uint32_t page, uint32_t end)
{
    return sm_pages_lock(sm_page_address(page), (size_t)(end - page) << SM_PAGE_SHIFT, true);
}

/* What is locked, undumpable memory was copied by the kernel; the locks were not. */
static void lock_again(unsigned p)
{
    uint32_t page = sm_arena.part[p].first, end;

    for (; page < sm_arena.part[p].mapped; page = end) {
        int error;
        for (end = page; end < sm_arena.part[p].mapped && locked(end); end++)
            ;
        if (end++ == page || lock_range(page, end - 1) == 0)
            continue;
        for (; page < end - 1; page++) {
            error = lock_range(page, page + 1);
            if (error == 0)
                continue;
            sm_arena.pages[page].kind = SM_KIND_PLAIN;
            sm_backing_degraded(SM_KIND_PLAIN, error);
        }
    }
}

static void clear_slot(char *slot, size_t size)
{
    if (!sm_state_live(*sm_state_of(slot)) && sm_arena.pages[sm_page_number(slot)].present &&
        sm_arena.pages[sm_page_number(slot + size - 1)].present)
        memset(slot, 0, size);
}

/* With SECRETSSL_ZERO=0 pages that the kernel copied hold what was freed. */
static void clear_free(unsigned p)
{
    struct sm_partition *part = &sm_arena.part[p];

    for (uint32_t page = part->first; page < part->frontier; page++) {
        struct sm_page *entry = &sm_arena.pages[page];
        char *at = sm_page_address(page);
        if (entry->use == SM_USE_SLAB) {
            size_t size = sm_classes[entry->class].size;
            for (unsigned s = sm_slab_slots(entry); s-- > 0;)
                clear_slot(at + s * size, size);
        } else if ((entry->use == SM_USE_FREE || entry->use == SM_USE_NONE) && entry->present) {
            memset(at, 0, SM_PAGE);
        }
    }
}

static void count_pages(void)
{
    uint64_t now = 0;

    sm_stats.uncached_pages = 0;
    memset(sm_stats.pages, 0, sizeof(sm_stats.pages));
    memset(sm_stats.part_pages, 0, sizeof(sm_stats.part_pages));
    for (unsigned p = 0; p < SM_PARTS; p++) {
        const struct sm_partition *part = &sm_arena.part[p];
        for (uint32_t i = part->first; i < part->mapped; i++) {
            const struct sm_page *page = &sm_arena.pages[i];
            sm_stats.pages[page->kind] += page->present;
            sm_stats.part_pages[p] += page->present;
            sm_stats.uncached_pages += page->present && sm_backing_uncached(page);
            now += page->present;
        }
    }
    sm_stats.pages[SM_KIND_SECRET] += sm_outside_pages();
    sm_stats.pages_peak = now + sm_outside_pages();
    sm_stats.mapped = sm_arena.mapped;
}

static void after_in_child(void)
{
    uint64_t blocks = 0;
    int64_t bytes = 0;

    errno = forking.error;
    sm_helper_alone(true);
    if (!forking.inherits && sm_arena.mapped)
        sm_refuse("the secrets cannot be copied at fork (no memory, or a filter forbids it): "
                  "this child ends");
    sm_stats.forks = sm_stats.fork_pages = sm_stats.fork_failed = sm_stats.faults = 0;
    if (forking.shared)
        copy_secrets();
    if (sm_config.fork == SM_FORK_DENY &&
        ((sm_arena.span && !sm_fork_withhold(SM_PART_BYTES)) || !sm_outside_withhold()))
        sm_refuse("key material could not be withheld from this child: it ends");
    unlock_all();
    sm_guard_forget();
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        lock_again(p);
        sm_guard_rebuild(p);
        if (!sm_config.zero)
            clear_free(p);
        sm_slab_rebuild(p, &blocks, &bytes);
        sm_partition_rebuild(p);
    }
    if (sm_arena.span)
        count_pages();
    sm_arena_inherit(false);
    sm_thread_cache_after_fork(blocks, 0, bytes);
    sm_helper_alone(false);
    finish();
}

static void child(void)
{
    if (passed())
        return;
    if (forking.started)
        after_in_child();
    announced = false;
    sm_fork_release_in_child();
}

void sm_fork_init(void)
{
    static bool registered;

    /*
     * As pthread_atfork() does, but for no object: ours is not unloaded, and its handlers must
     * not go when exit() runs its destructor, while another thread forks.
     */
    if (!registered)
        __register_atfork(prepare, parent, child, NULL);
    registered = true;
}
