/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's own stock of free slots, and the gate through which every thread enters the
 * allocator.
 *
 * A cache lies in memory that a child of fork sees as zeroes: a cache that was wiped has
 * neither blocks nor room, so both fast paths go to the slow one, which knows what to do.
 * See docs/fork.md.
 */
#ifndef SM_HEAP_THREAD_CACHE_H
#define SM_HEAP_THREAD_CACHE_H

#include "arena/arena.h"
#include "heap/gate.h"

/* Byte offsets into the cache, both 0 in one that was wiped */
struct sm_bin {
    uint32_t top;   /* the last slot that it holds, or the NULL before the first */
    uint32_t limit; /* where a full bin has its top */
};

#define SM_CACHE_RUN_PAGES 6 /* the longest large run that a thread keeps for itself */
#define SM_CACHE_RUNS      2 /* of each length */

struct sm_thread_cache {
    void *none;               /* NULL: the top of a wiped bin */
    volatile uint32_t inside; /* this thread is in the allocator */
    uint32_t alive;           /* 0: wiped, we are a child nobody announced */
    uint64_t allocations, frees;
    int64_t live_bytes;
    struct sm_bin bins[SM_BINS];
    uint8_t want[SM_BINS];        /* how many to fetch when it is empty: grows with use */
    struct sm_thread_cache *next; /* of all, and of the unused */
    bool used;
    uint8_t shard; /* of the slabs: threads that take from different ones share no lines */
    uint32_t runs[SM_PARTS][SM_CACHE_RUN_PAGES + 1][SM_CACHE_RUNS]; /* RETAINED; 0: none */
    void *slots[]; /* each bin's NULL and room */
};

static inline void **sm_bin_top(struct sm_thread_cache *cache, unsigned b)
{
    return (void **)((char *)cache + cache->bins[b].top);
}

/* NULL: it is empty. */
static inline void *sm_bin_pop(struct sm_thread_cache *cache, unsigned b)
{
    void *slot = *sm_bin_top(cache, b);

    if (sm_likely(slot != NULL))
        cache->bins[b].top -= (uint32_t)sizeof(slot);
    return slot;
}

static inline bool sm_bin_full(const struct sm_thread_cache *cache, unsigned b)
{
    return cache->bins[b].top >= cache->bins[b].limit;
}

static inline void sm_bin_push(struct sm_thread_cache *cache, unsigned b, void *slot)
{
    cache->bins[b].top += (uint32_t)sizeof(slot);
    *sm_bin_top(cache, b) = slot;
}

/* Off the fast path: fills an empty bin, and empties one but for so many. */
bool sm_bin_fetch(struct sm_thread_cache *cache, unsigned part, unsigned class);
void sm_bin_flush(struct sm_thread_cache *cache, unsigned part, unsigned class, unsigned keep);

/* The only thread-local variables. */
extern SM_LOCAL __thread struct sm_thread_cache *sm_cache
    __attribute__((tls_model("initial-exec")));

/*
 * Before the program makes any thread key, if possible: then one is left by which threads tell
 * their end.
 */
void sm_thread_cache_claim(void);

/* Once, at start, while there is one thread. False: no thread caches, locks do. */
bool sm_thread_cache_init(void);

/*
 * Entry to and exit from the allocator. Between them no fork happens in another thread.
 * enter returns the thread's cache, or NULL where it has none.
 */
struct sm_thread_cache *sm_enter_slow(void);

/* Whether the thread is inside now; not, if it has no cache or the gate is closed. */
static inline bool sm_enter_fast(struct sm_thread_cache *cache)
{
    if (sm_unlikely(!cache))
        return false;
    cache->inside = 1;
    sm_barrier(); /* Fork's membarrier makes a real one of it. */
    return sm_likely(!sm_gate);
}

static inline struct sm_thread_cache *sm_enter(void)
{
    struct sm_thread_cache *cache = sm_cache;

    return sm_enter_fast(cache) ? cache : sm_enter_slow();
}

void sm_leave_slow(void);

static inline void sm_leave(struct sm_thread_cache *cache)
{
    /* Behind all that was done inside; a plain store on x86 */
    if (sm_likely(cache != NULL))
        __atomic_store_n(&cache->inside, 0, __ATOMIC_RELEASE);
    else
        sm_leave_slow();
}

/* Short of memory: what all threads keep in runs goes to the arena. Whether there was any. */
bool sm_thread_caches_flush_runs(void);

/* Whether the calling thread is inside already (a signal handler interrupted it). */
bool sm_inside_now(void);

/*
 * Fork: closes the gate and waits until no other thread is inside, for so many dozes of 20 us
 * at most. False: some thread still is, and the caller opens the gate again, as it does in the
 * end.
 */
bool sm_gate_close(unsigned dozes);

/* In an announced child: all caches are gone. allocations and so on: what they counted. */
void sm_thread_cache_after_fork(uint64_t allocations, uint64_t frees, int64_t live_bytes);

void sm_thread_caches_sum(uint64_t *allocations, uint64_t *frees, int64_t *live_bytes);

/* Whether this is a child of a fork that ran no handlers. */
bool sm_is_rawfork_child(void);

/*
 * What a process has of its own, in memory that every child sees as zero: also one that nobody
 * announced. NULL: there is no such memory.
 */
struct sm_own {
    uint32_t announced; /* this process was started, or announced by fork */
    long home;          /* its number; 0: not asked yet */
    void *spare;        /* a page for fork.c, shared with the next child */
};
extern SM_LOCAL struct sm_own *sm_own;

/* Every process but an unannounced child; else says so and ends. */
void sm_die_if_rawfork_child(void);

#endif
