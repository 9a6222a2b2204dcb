/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of a partition's free runs, by band and length, and of its holes, by band. Every
 * function is called with the partition locked.
 */
#ifndef SM_ARENA_FREE_RUNS_H
#define SM_ARENA_FREE_RUNS_H

#include "arena/arena.h"

/*
 * Whether a page is the first or the last of a run with that use. Neighbours change their use
 * at any time, as other runs do, but never to or from FREE and HOLE without the lock.
 */
static inline bool sm_edge_is(uint32_t page, enum sm_use use)
{
    return __atomic_load_n(&sm_arena.pages[page].use, __ATOMIC_RELAXED) == use;
}

/* The list for runs of a length. */
unsigned sm_run_list_of(uint32_t pages);

/* Adds pages that belong to no run. Free neighbours become one run. */
void sm_free_add(struct sm_partition *part, uint32_t page, uint32_t pages);

/* Takes a listed run off its list, all of it. */
void sm_free_remove(struct sm_partition *part, uint32_t page);

/*
 * Takes pages pages at an alignment (pages, a power of two) from the lowest band that has them.
 * Returns the first, or 0.
 */
uint32_t sm_free_take(struct sm_partition *part, uint32_t pages, uint32_t align);

/* Takes pages from the beginning of a free run. Returns false if it is shorter. */
bool sm_free_take_at(struct sm_partition *part, uint32_t run, uint32_t pages);

/* Called whenever the partition has less free memory than before. */
void sm_free_note_low(struct sm_partition *part);

/* As sm_free_add() and sm_free_remove(), for holes, whose pages have no memory. */
void sm_hole_add(struct sm_partition *part, uint32_t page, uint32_t pages);
void sm_hole_remove(struct sm_partition *part, uint32_t page);

/* Returns a hole of the lowest band that has room for pages pages at an alignment, or 0. */
uint32_t sm_hole_find(const struct sm_partition *part, uint32_t pages, uint32_t align);

/* The pages before the first aligned one. */
uint32_t sm_pages_to(uint32_t page, uint32_t align);

/* Forgets all. */
void sm_free_reset(struct sm_partition *part);

#endif
