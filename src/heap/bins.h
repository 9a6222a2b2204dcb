/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a thread's cache keeps, off the fast path. Every function is called inside the allocator
 * by the thread whose cache it is, or with all threads stopped.
 */
#ifndef SM_HEAP_BINS_H
#define SM_HEAP_BINS_H

#include "heap/thread_cache.h"

/* Fill an empty bin, and empty a bin except for the keep slots that came last. */
bool sm_bin_fetch(struct sm_thread_cache *cache, unsigned part, unsigned class);
void sm_bin_flush(struct sm_thread_cache *cache, unsigned part, unsigned class, unsigned keep);

/* Retains the large runs that a cache keeps. Returns whether there were any. Thread-safe. */
bool sm_cache_retain_runs(struct sm_thread_cache *cache);

/* Returns all slots and large runs of a cache to the arena. */
void sm_cache_empty(struct sm_thread_cache *cache);

/* Gives up a cache's room for slots and runs, or takes it back. The bins are empty. */
void sm_cache_set_lean(struct sm_thread_cache *cache, bool lean);

#endif
