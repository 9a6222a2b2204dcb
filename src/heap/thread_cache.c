/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/thread_cache.h"
#include "arena/fork_window.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/bins.h"
#include "heap/slab.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include "os/valgrind.h"
#include "stacktrace/fatal.h"
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <time.h>

#define KEYS 32 /* of pthread_key_create(), with values in the thread structure */

__thread struct sm_thread_cache *sm_cache __attribute__((tls_model("initial-exec")));
/* This thread is at its end, or cannot have a cache, so it uses the locks. */
static __thread bool no_cache __attribute__((tls_model("initial-exec")));
/* How many times a thread without a cache is inside. */
static __thread uint32_t inside_depth __attribute__((tls_model("initial-exec")));

struct sm_lock sm_thread_caches_lock;
static struct sm_thread_cache *all;
static unsigned caches;         /* ever made */
static uint32_t inside_without; /* threads without a cache that are inside */
struct sm_own *sm_own;
static bool enabled;
static bool refused; /* start has run, and there are no caches */
static bool have_key;
static pthread_key_t key;

static void own_begin(void)
{
    if (!sm_own)
        return;
    sm_own->announced = 1;
    if (!sm_seccomp_forbids(SM_CALL_GETPID))
        sm_own->home = sm_sys(SYS_getpid);
}

static size_t cache_bytes(void)
{
    size_t slots = 0;

    for (unsigned c = 0; c < SM_CLASSES; c++)
        slots += SM_PARTS * (1U + sm_classes[c].cached);
    return sm_round_up(sizeof(struct sm_thread_cache) + slots * sizeof(void *), sm_os_page);
}

/* Called at the end of a thread: gives its slots back, and its cache to the next thread. */
static void retire(void *arg)
{
    struct sm_thread_cache *cache = arg;

    no_cache = true;
    if (!cache || cache != sm_cache)
        return;
    sm_enter();
    if (cache->alive) {
        sm_cache_empty(cache);
        sm_count(&sm_stats.allocations, cache->allocations);
        sm_count(&sm_stats.frees, cache->frees);
        __atomic_fetch_add(&sm_stats.live_bytes, cache->live_bytes, __ATOMIC_RELAXED);
        cache->allocations = cache->frees = 0;
        cache->live_bytes = 0;
    }
    sm_cache = NULL;
    sm_leave(cache);
    __atomic_store_n(&cache->used, false, __ATOMIC_RELEASE);
}

/*
 * Uses only keys below KEYS, because beyond that the C library allocates when a value is set.
 * Each link-map namespace (dlmopen) has a C library that numbers its keys from 0, but a thread
 * has only one place for the value of a number. This library uses the last key, which no other
 * user reaches.
 */
static bool make_key(void)
{
    pthread_key_t keys[KEYS];
    unsigned made = 0;
    bool found = false;

    while (made < KEYS && pthread_key_create(&keys[made], retire) == 0 &&
           keys[made++] < KEYS - 1)
        ;
    while (made-- > 0) {
        if (!found && keys[made] < KEYS) {
            key = keys[made];
            found = true;
        } else {
            pthread_key_delete(keys[made]);
        }
    }
    return found;
}

void sm_thread_cache_claim(void)
{
    have_key = have_key || make_key();
}

/*
 * Without membarrier, a thread's "inside" may not be seen in time. Under Valgrind, every block
 * takes the slow path, which tells Valgrind about the block.
 */
static bool possible(void)
{
    return sm_own && !sm_on_valgrind() && !SM_TSAN && !sm_seccomp_forbids(SM_CALL_MEMBARRIER) &&
           sm_sys(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0;
}

bool sm_thread_cache_init(void)
{
    sm_own = sm_pages_hidden(sm_os_page, true);
    own_begin();
    sm_thread_cache_claim();
    if (!have_key)
        sm_lapse(SM_LAPSE_THREAD_KEY,
                 "no thread key below %d is left: threads have no caches, each allocation "
                 "takes locks",
                 KEYS);
    enabled = possible() && have_key;
    refused = !enabled;
    return enabled;
}

/* Called with fresh memory, so the word before each bin is NULL. */
static void set_up(struct sm_thread_cache *cache)
{
    uint32_t at = offsetof(struct sm_thread_cache, slots);

    cache->quarantined = sm_settings.quarantine != 0;
    for (unsigned b = 1; b < SM_BINS; b++) {
        uint32_t room = sm_classes[(b - 1) / SM_PARTS].cached * (uint32_t)sizeof(void *);
        cache->bins[b] = (struct sm_bin){at, at + (cache->quarantined ? 0 : room)};
        cache->want[b] = 1;
        at += room + (uint32_t)sizeof(void *);
    }
    cache->alive = 1;
    cache->lean = false;
}

_Static_assert(offsetof(struct sm_thread_cache, frees) ==
                       offsetof(struct sm_thread_cache, allocations) + 8 &&
                   offsetof(struct sm_thread_cache, live_bytes) ==
                       offsetof(struct sm_thread_cache, allocations) + 16,
               "read from outside as three numbers in a row");

/* `secretssl stat` also walks the list, from outside; sm_stats tells it how. */
static void set_all(struct sm_thread_cache *first)
{
    all = first;
    sm_stats.cache_counts = offsetof(struct sm_thread_cache, allocations);
    sm_stats.cache_next = offsetof(struct sm_thread_cache, next);
    __atomic_store_n(&sm_stats.caches, (uintptr_t)first, __ATOMIC_RELEASE);
}

/* Called in a child of fork, whose other caches are wiped, with the list that they were in. */
static void keep_own_cache(void)
{
    set_all(NULL);
    caches = 1;
    if (sm_cache) {
        set_up(sm_cache);
        sm_cache->used = true;
        set_all(sm_cache);
    }
}

struct sm_thread_cache *sm_thread_caches(void)
{
    return all;
}

static struct sm_thread_cache *take_unused(void)
{
    struct sm_thread_cache *cache = all;

    while (cache && __atomic_load_n(&cache->used, __ATOMIC_ACQUIRE))
        cache = cache->next;
    return cache;
}

/* Called inside the allocator, as a thread without a cache. */
static struct sm_thread_cache *new_cache(void)
{
    struct sm_thread_cache *cache;

    if (refused && !no_cache) {
        no_cache = true;
        sm_count(&sm_stats.threads_without_cache, 1);
    }
    /* The fast path records no call stacks, so tracing takes the slow one. */
    if (!enabled || no_cache || sm_settings.trace || sm_seccomp_forbids(SM_CALL_MMAP) ||
        sm_seccomp_forbids(SM_CALL_MADVISE))
        return NULL;
    sm_lock_take(&sm_thread_caches_lock);
    cache = take_unused();
    if (!cache) {
        cache = sm_pages_hidden(cache_bytes(), true);
        if (cache) {
            set_up(cache);
            cache->shard = (uint8_t)(caches++ % SM_SHARDS);
            cache->next = all;
            set_all(cache);
        }
    }
    if (cache)
        cache->used = true;
    sm_lock_drop(&sm_thread_caches_lock);
    if (cache && pthread_setspecific(key, cache) != 0) {
        cache->used = false;
        cache = NULL;
    }
    return cache;
}

static void enter_without(void)
{
    if (inside_depth++)
        return;
    for (;;) {
        __atomic_fetch_add(&inside_without, 1, __ATOMIC_SEQ_CST);
        if (!__atomic_load_n(&sm_gate, __ATOMIC_SEQ_CST) ||
            (sm_window_is_mine() && !sm_is_rawfork_child()))
            return;
        __atomic_fetch_sub(&inside_without, 1, __ATOMIC_SEQ_CST);
        sm_die_if_rawfork_child(); /* In a rawfork child no thread would open the gate. */
        /*
         * A handler of a signal that interrupts the wait may fork, and must then wait for its
         * turn like any thread outside: otherwise it would hold the C library's lock of
         * handlers and want the stream list, and the thread that closed the gate has it the
         * other way.
         */
        inside_depth = 0;
        sm_gate_wait();
        inside_depth = 1;
    }
}

void sm_leave_slow(void)
{
    if (--inside_depth == 0)
        __atomic_fetch_sub(&inside_without, 1, __ATOMIC_RELEASE);
}

struct sm_thread_cache *sm_enter_slow(void)
{
    struct sm_thread_cache *cache = sm_cache;

    if (cache) { /* The gate is closed. */
        do {
            cache->inside = 0;
            sm_die_if_rawfork_child(); /* In a rawfork child no thread would open the gate. */
            sm_gate_wait();
            cache->inside = 1;
            sm_barrier();
        } while (sm_gate_is_closed());
        return cache;
    }
    enter_without();
    if (inside_depth == 1)
        cache = new_cache();
    if (!cache)
        return NULL;
    /* From here on this thread is inside by its cache, without being outside in between. */
    cache->inside = 1;
    sm_cache = cache;
    sm_leave_slow();
    return cache;
}

bool sm_inside_now(void)
{
    return inside_depth || (sm_cache && sm_cache->inside);
}

bool sm_gate_close(unsigned dozes)
{
    __atomic_store_n(&sm_gate, 1, __ATOMIC_SEQ_CST);
    /* If a later filter forbids membarrier, waiting has to replace it. */
    if (enabled && (sm_seccomp_forbids(SM_CALL_MEMBARRIER) ||
                    sm_sys(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) != 0)) {
        for (int i = 0; i < 100; i++)
            sm_gate_doze();
    }
    if (!sm_gate_wait_for(&inside_without, &dozes))
        return false;
    /* A cache that is added now belongs to a thread that was counted above. */
    for (struct sm_thread_cache *c = all; c; c = c->next) {
        if (!sm_gate_wait_for(&c->inside, &dozes))
            return false;
    }
    return true;
}

void sm_thread_cache_after_fork(uint64_t allocations, uint64_t frees, int64_t live_bytes)
{
    own_begin();
    sm_lock_reset(&sm_thread_caches_lock);
    inside_without = 0;
    inside_depth = 0;
    keep_own_cache();
    sm_stats.allocations = allocations;
    sm_stats.frees = frees;
    sm_stats.live_bytes = live_bytes;
}

void sm_thread_caches_sum_stopped(uint64_t *allocations, uint64_t *frees, int64_t *live_bytes)
{
    *allocations = sm_counted(&sm_stats.allocations);
    *frees = sm_counted(&sm_stats.frees);
    *live_bytes = __atomic_load_n(&sm_stats.live_bytes, __ATOMIC_RELAXED);
    for (struct sm_thread_cache *c = all; c; c = c->next) {
        *allocations += __atomic_load_n(&c->allocations, __ATOMIC_RELAXED);
        *frees += __atomic_load_n(&c->frees, __ATOMIC_RELAXED);
        *live_bytes += __atomic_load_n(&c->live_bytes, __ATOMIC_RELAXED);
    }
}

void sm_thread_caches_sum(uint64_t *allocations, uint64_t *frees, int64_t *live_bytes)
{
    sm_lock_take(&sm_thread_caches_lock);
    sm_thread_caches_sum_stopped(allocations, frees, live_bytes);
    sm_lock_drop(&sm_thread_caches_lock);
}

/*
 * A process that forks before there is an arena loses nothing, and its child starts as it did.
 * Locks are the exception, because another thread may have held one; so the process must be
 * single-threaded.
 */
static bool starts_afresh(void)
{
    if (sm_arena.span || __atomic_load_n(&sm_arena.external, __ATOMIC_RELAXED) ||
        !__libc_single_threaded)
        return false;
    keep_own_cache();
    own_begin();
    return true;
}

bool sm_is_rawfork_child(void)
{
    return sm_own && !sm_own->announced && !starts_afresh();
}

void sm_die_if_rawfork_child(void)
{
    if (sm_is_rawfork_child() && !(sm_window_catch_up && sm_window_catch_up()))
        sm_fatal("allocation in a child of _Fork or a raw fork, which has no secrets", NULL);
}
