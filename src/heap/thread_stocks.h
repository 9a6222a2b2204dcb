/* SPDX-License-Identifier: Apache-2.0 */
/* What threads keep is taken back when memory is short, or to be given to the kernel. */
#ifndef SM_HEAP_THREAD_STOCKS_H
#define SM_HEAP_THREAD_STOCKS_H

#include "heap/thread_cache.h"

/*
 * Called when memory is short. Returns the large runs that all threads keep to the arena.
 * Returns whether there were any.
 */
bool sm_thread_caches_flush_runs(void);

/*
 * Called when memory is short, inside the allocator, which the thread leaves and enters again,
 * so that its cache may be another afterwards. Stops all threads for a moment and returns
 * everything that they keep. Returns whether that made pages free. Does nothing if it was in
 * vain lately.
 */
bool sm_stocks_gather(struct sm_thread_cache **cache);

/*
 * Set by the fork layer: stops all threads outside the allocator, and lets them go on. Stopping
 * returns false if this thread is about to fork, or a thread did not leave in time.
 */
extern SM_LOCAL bool (*sm_stocks_stop)(void);
extern SM_LOCAL void (*sm_stocks_go_on)(void);

#define SM_SCAVENGE_EVERY 16 /* calls off the fast path */

/* Gives free memory back to the kernel, a little at a time. */
void sm_stocks_scavenge(struct sm_thread_cache *cache);

/* The calls of threads without a cache */
extern SM_LOCAL uint32_t sm_stocks_calls;

/*
 * Called once in each call off the fast path, inside the allocator, with no lock held. Now and
 * then gives memory back.
 */
static inline void sm_stocks_count(struct sm_thread_cache *cache)
{
    uint32_t calls =
        cache ? ++cache->slow_calls : __atomic_add_fetch(&sm_stocks_calls, 1, __ATOMIC_RELAXED);

    if (sm_unlikely(calls % SM_SCAVENGE_EVERY == 0))
        sm_stocks_scavenge(cache);
}

#endif
