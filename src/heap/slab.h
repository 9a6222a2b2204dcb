/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots of one size class in page runs. What is free is a bitmap beside the pages; what is
 * live is the state table. Every function here is called inside (sm_enter).
 */
#ifndef SM_HEAP_SLAB_H
#define SM_HEAP_SLAB_H

#include "arena/arena.h"

/* Runs belong to shards; threads of different shards get slots of different runs. */
#define SM_SHARDS 4

/*
 * Up to want free slots, in random order, from a shard's runs; clear unless SECRETSSL_ZERO=0.
 * Returns how many; 0: out of memory. Thread-safe.
 */
unsigned sm_slab_fetch(unsigned part, unsigned class, unsigned shard, void **slots,
                       unsigned want);

/* Takes free slots back. Their states say FREE. Thread-safe. */
void sm_slab_return(unsigned part, unsigned class, void **slots, unsigned count);

/* How many slots a run has: runs of a class differ in length. */
static inline unsigned sm_slab_slots(const struct sm_page *run)
{
    return (unsigned)((uint64_t)run->pages * SM_PAGE * sm_classes[run->class].magic >> 32);
}

/* The class of the slab that p is in. */
unsigned sm_slab_class(const void *p);

/*
 * In a child: rebuilds the slabs from the state table. Slots that other threads' caches
 * held are free. Adds up what is live; before sm_partition_rebuild().
 */
void sm_slab_rebuild(unsigned part, uint64_t *blocks, int64_t *bytes);

/* Fork: all of this file's locks, in order. */
void sm_slab_lock_all(void);
void sm_slab_unlock_all(void);

/* In a child: no other thread is left that could hold one. */
void sm_slab_reset_locks(void);

#endif
