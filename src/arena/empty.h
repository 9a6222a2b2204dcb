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

/*
 * The kinds of memory of a partition that may be emptied, because the kernel gives memory as
 * good now: bits of enum sm_kind. Takes some system calls.
 */
unsigned sm_empty_kinds(unsigned part);

/*
 * Whether all kinds may be emptied where the limit of locked memory is reached, so that no page
 * can be tried.
 */
bool sm_empty_is_reversible(unsigned part);

/*
 * Empties free chunks of a partition that have memory of these kinds only, at most pages pages
 * if more than a chunk. Returns the number of pages. Called with the partition locked.
 */
uint32_t sm_free_empty(unsigned part, uint32_t pages, unsigned kinds);

#endif
