/* SPDX-License-Identifier: Apache-2.0 */
/* Page runs: given out, taken back, coalesced and retained, in each partition separately. */
#ifndef SM_ARENA_PAGE_RUNS_H
#define SM_ARENA_PAGE_RUNS_H

#include "arena/arena.h"

/*
 * Returns the first page of a run of pages pages, aligned to align pages (a power of two), or 0
 * if there is none. The run is zeroed but not all resident. The caller sets its use.
 * Thread-safe.
 */
uint32_t sm_run_take(unsigned part, uint32_t pages, uint32_t align);
uint32_t sm_run_take_present(unsigned part, uint32_t pages);

/* Gives back a run whose blocks are zeroed. Thread-safe. */
void sm_run_give(uint32_t page, uint32_t pages);

/*
 * Gives back a run that could not be made resident. The pages that became resident count
 * against the limit of locked memory, from which all partitions take, so that the kernel gets
 * back as many pages as the run has. Thread-safe.
 */
void sm_run_give_failed(uint32_t page, uint32_t pages);

/*
 * Extends a run by the more pages directly behind it, if they are free. The new pages are not
 * resident. Thread-safe.
 */
bool sm_run_extend(uint32_t page, uint32_t pages, uint32_t more);

/*
 * Returns a retained run of exactly pages pages, resident and with a guard behind it, or 0 if
 * there is none. Thread-safe.
 */
uint32_t sm_run_take_retained(unsigned part, uint32_t pages, uint32_t align);

/* Gives back a run together with the guard behind it. Its blocks are zeroed. Thread-safe. */
void sm_run_retain(uint32_t page, uint32_t pages);

/*
 * Makes up to count retained runs of a partition free, which lifts their guards. Returns
 * whether there were any. Thread-safe.
 */
bool sm_run_release(unsigned part, unsigned count);

/* Makes bytes of memory resident ahead of use. Returns the number of bytes made resident. */
size_t sm_arena_prefault(unsigned part, size_t bytes);

/*
 * Called in a child. Rebuilds a partition's free lists from the uses of its pages, none of
 * which is RETAINED.
 */
void sm_partition_rebuild(unsigned part);

#endif
