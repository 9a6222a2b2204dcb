/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocks of an arena of the program's own: which granules of 16 bytes are in use, and where
 * blocks begin. Two bitmaps in ordinary memory; the arena's own memory holds only blocks. The
 * caller holds the arena's lock.
 */
#ifndef SM_API_OWN_BLOCKS_H
#define SM_API_OWN_BLOCKS_H

#include "base/common.h"

#define SM_OWN_GRANULE  16
#define SM_OWN_NO_BLOCK SIZE_MAX

struct sm_own_blocks {
    uint64_t *used;  /* a bit for each granule: in a block */
    uint64_t *first; /* a bit for each granule: the first one of a block */
    size_t granules; /* of the arena */
    size_t next;     /* where the next search begins */
    size_t in_use;   /* granules */
    size_t count;    /* blocks */
};

/* Bytes of ordinary memory that the bitmaps of so many granules take, zeroed. */
size_t sm_own_blocks_memory(size_t granules);
void sm_own_blocks_init(struct sm_own_blocks *blocks, void *memory, size_t granules);

/* Takes consecutive granules. Returns the number of the first one, or SM_OWN_NO_BLOCK. */
size_t sm_own_blocks_take(struct sm_own_blocks *blocks, size_t granules);

/* Returns the number of granules of the block that begins at one, 0 if none does. */
size_t sm_own_blocks_extent(const struct sm_own_blocks *blocks, size_t at);

/* Gives back the block that begins at a granule. */
void sm_own_blocks_give(struct sm_own_blocks *blocks, size_t at);

#endif
