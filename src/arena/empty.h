/* SPDX-License-Identifier: Apache-2.0 */
/* Gives the memory of free chunks back to the kernel, from the highest addresses down. */
#ifndef SM_ARENA_EMPTY_H
#define SM_ARENA_EMPTY_H

#include "arena/arena.h"

/*
 * Whether chunks may be emptied: not behind a filter that forbids to map memory again, nor
 * while this thread forks.
 */
bool sm_empty_is_possible(void);

/* The same, and the kernel maps memory for this partition now. Takes some system calls. */
bool sm_empty_is_wise(unsigned part);

/* The same where the limit of locked memory is reached, so that no page can be tried. */
bool sm_empty_is_reversible(unsigned part);

/*
 * Empties free chunks of a partition, at most pages pages if more than a chunk. Returns the
 * number of pages. Called with the partition locked.
 */
uint32_t sm_free_empty(unsigned part, uint32_t pages);

#endif
