/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots of one size class in page runs. A bitmap in the page table records the free slots; the
 * state table records the live blocks. Every function here is called inside the allocator
 * (sm_enter).
 */
#ifndef SM_HEAP_SLAB_H
#define SM_HEAP_SLAB_H

#include "arena/arena.h"

/* Each run belongs to a shard. Threads of different shards get slots of different runs. */
#define SM_SHARDS 4

/*
 * Fetches up to want free slots from a shard's runs, in random order, zeroed unless
 * SECRETSSL_ZERO=0. Returns their number; 0 means out of memory. Thread-safe.
 */
unsigned sm_slab_fetch(unsigned part, unsigned class, unsigned shard, void **slots,
                       unsigned want);

/* Takes back free slots, whose states are FREE. Thread-safe. */
void sm_slab_return(unsigned part, unsigned class, void **slots, unsigned count);

/* The number of slots in a run. Runs of a class differ in length. */
static inline unsigned sm_slab_slots(const struct sm_page *run)
{
    return (unsigned)((uint64_t)run->pages * SM_PAGE * sm_classes[run->class].magic >> 32);
}

/* The first page of the run that a block lies in, or of the large block's run. */
static inline uint32_t sm_run_of(const void *p)
{
    uint32_t page = sm_page_number(p);

    return page - (sm_arena.pages[page].use == SM_USE_BODY ? sm_arena.pages[page].back : 0);
}

/* The class of the slab that contains p. */
unsigned sm_slab_class(const void *p);

/*
 * Calls a function for each live block of a partition: with the requested size, and with the
 * bytes up to the end of the canary, as far as it lies in the block's pages. The function may
 * change the block's state. Nothing else changes the runs meanwhile.
 */
typedef void sm_visit_fn(char *block, size_t size, size_t extent, void *arg);
void sm_visit_live(unsigned part, sm_visit_fn *fn, void *arg);

/*
 * Called in a child, before sm_partition_rebuild(). Rebuilds the slabs from the state table and
 * adds up the live blocks and bytes. Slots that other threads' caches held become free.
 */
void sm_slab_rebuild(unsigned part, uint64_t *blocks, int64_t *bytes);

/* For fork: take and drop all locks of this file, in order. */
void sm_slab_lock_all(void);
void sm_slab_unlock_all(void);

/* Called in a child, where no other thread is left that could hold a lock. */
void sm_slab_reset_locks(void);

#endif
