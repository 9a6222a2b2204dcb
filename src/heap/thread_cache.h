/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's cache of free slots, and entry to the allocator through the gate.
 *
 * A cache lies in memory that a child of fork sees zeroed. A wiped cache has neither blocks nor
 * room, so both fast paths take the slow path, which handles the case. See docs/fork.md.
 */
#ifndef SM_HEAP_THREAD_CACHE_H
#define SM_HEAP_THREAD_CACHE_H

#include "arena/arena.h"
#include "heap/gate.h"

/* Byte offsets into the cache, both 0 in a wiped cache. */
struct sm_bin {
    uint32_t top;   /* the last slot held, or the NULL before the first slot */
    uint32_t limit; /* the top of a full bin */
};

/* The longest large run that a thread caches, and more up to the end of a page of the kernel */
#define SM_CACHE_RUN_PAGES 6
#define SM_CACHE_RUNS      2 /* of each length */

struct sm_thread_cache {
    void *none;               /* NULL: the top of a wiped bin */
    volatile uint32_t inside; /* nonzero while this thread is in the allocator */
    uint32_t alive;           /* 0: wiped, in an unannounced child */
    uint64_t allocations, frees;
    int64_t live_bytes;
    struct sm_bin bins[SM_BINS];
    uint8_t want[SM_BINS];        /* slots to fetch when the bin is empty: grows with use */
    struct sm_thread_cache *next; /* in the list of all caches, unused ones included */
    bool used;
    bool lean;           /* keeps nothing: each bin is empty and full at once */
    bool quarantined;    /* each bin is full at once, so that no freed slot is in one */
    uint32_t slow_calls; /* off the fast path */
    uint32_t plan;       /* the last one of the scavenger that this thread followed */
    uint8_t shard;       /* of the slabs: threads of different shards share no cache lines */
    /* RETAINED runs by their length in pages of the kernel; 0: none */
    uint32_t runs[SM_PARTS][SM_CACHE_RUN_PAGES + 1][SM_CACHE_RUNS];
    void *slots[]; /* each bin's NULL and its slots */
};

static inline void **sm_bin_top(struct sm_thread_cache *cache, unsigned b)
{
    return (void **)((char *)cache + cache->bins[b].top);
}

/* Returns a slot, or NULL if the bin is empty. */
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

/* The calling thread's cache, or NULL. */
extern SM_LOCAL __thread struct sm_thread_cache *sm_cache
    __attribute__((tls_model("initial-exec")));

/*
 * Called, if possible, before the program makes any thread key, so that a key is left for the
 * end-of-thread handler.
 */
void sm_thread_cache_claim(void);

/*
 * Called once, at start, while there is one thread. Returns false if there are no thread
 * caches, so that locks are used.
 */
bool sm_thread_cache_init(void);

/*
 * Entry to and exit from the allocator. Between them no other thread forks. Entry returns the
 * thread's cache, or NULL if the thread has none.
 */
struct sm_thread_cache *sm_enter_slow(void);

/* Enters without a lock. Returns false if the thread has no cache or the gate is closed. */
static inline bool sm_enter_fast(struct sm_thread_cache *cache)
{
    if (sm_unlikely(!cache))
        return false;
    cache->inside = 1;
    sm_barrier(); /* The fork's membarrier turns this into a real barrier. */
    /* What a fork, or who took this thread's stocks, did while the gate was closed is seen. */
    return sm_likely(!__atomic_load_n(&sm_gate, __ATOMIC_ACQUIRE));
}

static inline struct sm_thread_cache *sm_enter(void)
{
    struct sm_thread_cache *cache = sm_cache;

    return sm_enter_fast(cache) ? cache : sm_enter_slow();
}

void sm_leave_slow(void);

static inline void sm_leave(struct sm_thread_cache *cache)
{
    /* Ordered behind everything done inside; a plain store on x86. */
    if (sm_likely(cache != NULL))
        __atomic_store_n(&cache->inside, 0, __ATOMIC_RELEASE);
    else
        sm_leave_slow();
}

/* The list of all caches, and the lock that is held while one is added. */
struct sm_thread_cache *sm_thread_caches(void);
extern SM_LOCAL struct sm_lock sm_thread_caches_lock;

/* Whether the calling thread is inside already, interrupted by a signal handler. */
bool sm_inside_now(void);

/*
 * For fork: closes the gate and waits until no other thread is inside, for at most dozes waits
 * of 20 us. Returns false if a thread is still inside. The caller opens the gate again, in that
 * case as in the end.
 */
bool sm_gate_close(unsigned dozes);

/*
 * Called in an announced child: all caches are gone. The arguments are what the caches counted.
 */
void sm_thread_cache_after_fork(uint64_t allocations, uint64_t frees, int64_t live_bytes);

void sm_thread_caches_sum(uint64_t *allocations, uint64_t *frees, int64_t *live_bytes);

/*
 * The same while the gate is closed, which keeps caches from being added. Takes no lock: a
 * signal handler that forks may have interrupted its thread in the function above.
 */
void sm_thread_caches_sum_stopped(uint64_t *allocations, uint64_t *frees, int64_t *live_bytes);

/* Whether this process is a child of a fork without atfork handlers. */
bool sm_is_rawfork_child(void);

/*
 * Per-process data in memory that every child sees zeroed, an unannounced child included. NULL
 * if there is no such memory.
 */
struct sm_own {
    uint32_t announced; /* this process was started, or announced by fork */
    long home;          /* process ID; 0: not asked yet */
    void *spare;        /* a page for fork.c, shared with the next child */
};
extern SM_LOCAL struct sm_own *sm_own;

/*
 * Returns in every process except an unannounced child, where it prints a message and ends the
 * process.
 */
void sm_die_if_rawfork_child(void);

#endif
