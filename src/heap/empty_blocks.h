/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of size 0: addresses at which there is no memory, so that each access is SIGSEGV. They
 * lie in the first page of each partition, which is reserved and never mapped.
 */
#ifndef SM_HEAP_EMPTY_BLOCKS_H
#define SM_HEAP_EMPTY_BLOCKS_H

#include "arena/arena.h"

/*
 * Returns an address of a partition, or NULL if all of them are in use or no state can be
 * written. Thread-safe; called inside the allocator.
 */
void *sm_empty_block_take(unsigned part);

/* Called in a child: how many of these blocks a partition has. */
unsigned sm_empty_blocks(unsigned part);

#endif
