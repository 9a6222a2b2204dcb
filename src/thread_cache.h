/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's own stock of free slots, and the gate through which every thread enters the
 * allocator.
 *
 * A cache lies in memory that a child of fork sees as zeroes: a cache that was wiped has
 * neither blocks nor room, so both fast paths go to the slow one, which knows what to do.
 * See docs/fork.md.
 */
#ifndef SM_THREAD_CACHE_H
#define SM_THREAD_CACHE_H

#include "arena.h"

#define SM_CACHE_SLOTS 32 /* the most that a bin holds */

struct sm_bin {
    uint16_t count;
    uint16_t room; /* slots it may hold; 0 in a wiped cache */
    uint32_t want; /* how many to fetch when it is empty: grows with use */
    void *slots[SM_CACHE_SLOTS];
};

struct sm_thread_cache {
    volatile uint32_t inside; /* this thread is in the allocator */
    uint32_t alive;           /* 0: wiped, we are a child nobody announced */
    uint64_t allocations, frees;
    int64_t live_bytes;
    struct sm_thread_cache *next; /* of all, and of the unused */
    bool used;
    struct sm_bin bins[SM_PARTS][SM_CLASSES];
};

/* The only thread-local variables. */
extern __thread struct sm_thread_cache *sm_cache __attribute__((tls_model("initial-exec")));

/* Fork closes it; 1: wait outside. */
extern volatile uint32_t sm_gate;

/* Once, at start, while there is one thread. False: no thread caches, locks do. */
bool sm_thread_cache_init(void);

/*
 * Entry to and exit from the allocator. Between them no fork happens in another thread.
 * enter returns the thread's cache, or NULL where it has none.
 */
struct sm_thread_cache *sm_enter_slow(void);

static inline struct sm_thread_cache *sm_enter(void)
{
    struct sm_thread_cache *cache = sm_cache;

    if (sm_likely(cache != NULL)) {
        cache->inside = 1;
        sm_barrier(); /* Fork's membarrier makes a real one of it. */
        if (sm_likely(!__atomic_load_n(&sm_gate, __ATOMIC_RELAXED)))
            return cache;
    }
    return sm_enter_slow();
}

void sm_leave_slow(void);

static inline void sm_leave(struct sm_thread_cache *cache)
{
    sm_barrier();
    if (sm_likely(cache != NULL))
        cache->inside = 0;
    else
        sm_leave_slow();
}

/* Whether the calling thread is inside already (a signal handler interrupted it). */
bool sm_inside_now(void);

/* Fork: closes the gate and waits until no other thread is inside; opens it again. */
void sm_gate_close(void);
void sm_gate_open(void);

/* In an announced child: all caches are gone. allocations and so on: what they counted. */
void sm_thread_cache_after_fork(uint64_t allocations, uint64_t frees, int64_t live_bytes);

void sm_thread_caches_sum(uint64_t *allocations, uint64_t *frees, int64_t *live_bytes);

/* Whether this is a child of a fork that ran no handlers. */
bool sm_unannounced(void);

/* Every process but an unannounced child; else says so and ends. */
void sm_assert_announced(void);

#endif
