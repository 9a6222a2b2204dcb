/* SPDX-License-Identifier: Apache-2.0 */
/* Memory from the kernel for a partition: at its end, or in a hole. */
#ifndef SM_ARENA_GROW_H
#define SM_ARENA_GROW_H

#include "arena/arena.h"

/* The chunk or, where the kernel backs it whole, the huge block of a page: its first page. */
uint32_t sm_chunk_of(uint32_t page);

/*
 * Makes the first entries of a partition's tables writable, if they are not yet. Returns false
 * if that is impossible. Called with the partition locked.
 */
bool sm_backing_begin(unsigned part);

/*
 * Maps at least pages more pages at the end of a partition, up to the end of a chunk. Returns
 * false if the cap is reached or nothing may be mapped. Called with the partition locked.
 */
bool sm_backing_grow(unsigned part, uint32_t pages);

/*
 * Maps at least pages pages from a page on that has no memory, up to the end of a chunk and at
 * most `most`, such as the length of a hole. Returns the number of pages mapped, or 0. The
 * caller takes them off the hole. Called with the partition locked.
 */
uint32_t sm_backing_fill(unsigned part, uint32_t page, uint32_t pages, uint32_t most);

/*
 * Gives the memory of whole chunks back to the kernel. Returns false, and changes nothing, if
 * the kernel refuses. The caller makes a hole of the pages. Called with the partition locked.
 */
bool sm_backing_empty(unsigned part, uint32_t page, uint32_t pages);

#endif
