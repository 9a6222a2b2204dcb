/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of the allocator: what blocks there are, and every byte of each. Each function calls
 * the allocator and compares. Threads may work on different blocks at once.
 */
#ifndef FUZZ_BLOCKS_H
#define FUZZ_BLOCKS_H

#include "harness.h"

enum { BLOCKS = 48 };

/* How a block is requested */
struct request {
    unsigned part;
    size_t size;
    size_t alignment; /* 1: none */
    size_t count;     /* for blocks_calloc() */
};

/* The arena may be full, or its limits lowered: requests may fail or be served elsewhere. */
extern bool blocks_scarce;

void blocks_begin(void);

/* The number is one of BLOCKS. A block that is there is freed first. */
void blocks_malloc(unsigned number, const struct request *request);
void blocks_calloc(unsigned number, const struct request *request);
void blocks_realloc(unsigned number, size_t size);
void blocks_free(unsigned number);

/* Checks the blocks from first on, every step-th. */
void blocks_check(unsigned first, unsigned step);

/* Frees all blocks, and checks that the allocator counts none. */
void blocks_end(void);

/* A live block of the arena that is small, and has a granule behind its first; or NULL. */
void *blocks_any(size_t *size);

#endif
