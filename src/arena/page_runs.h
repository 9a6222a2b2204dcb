/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of pages: given out, taken back, joined and kept, in each partition by itself. */
#ifndef SM_ARENA_PAGE_RUNS_H
#define SM_ARENA_PAGE_RUNS_H

#include "arena/arena.h"

/*
 * A run of pages, aligned to align pages (a power of two), clear but not all present yet.
 * Returns its first page, 0 if there is none to be had. The caller sets its use. Thread-safe.
 */
uint32_t sm_run_take(unsigned part, uint32_t pages, uint32_t align);
uint32_t sm_run_take_present(unsigned part, uint32_t pages);

/* Gives it back, its blocks cleared. Thread-safe. */
void sm_run_give(uint32_t page, uint32_t pages);

/* Takes more pages directly behind a run, not present yet, if they are free. Thread-safe. */
bool sm_run_extend(uint32_t page, uint32_t pages, uint32_t more);

/* A retained run of exactly so many pages, present and behind it a guard; 0: none. Thread-safe.
 */
uint32_t sm_run_take_retained(unsigned part, uint32_t pages, uint32_t align);

/* Gives back a run with the guard behind it, its blocks cleared. Thread-safe. */
void sm_run_retain(uint32_t page, uint32_t pages);

/* Makes so much memory present ahead of its use. Returns the bytes that it got. */
size_t sm_arena_prefault(unsigned part, size_t bytes);

/* In a child: rebuilds a partition's free lists from the uses of its pages. None is RETAINED.
 */
void sm_partition_rebuild(unsigned part);

#endif
