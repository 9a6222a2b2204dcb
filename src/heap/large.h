/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of more than SM_SMALL_MAX bytes: whole page runs. Called inside the allocator
 * (sm_enter).
 */
#ifndef SM_HEAP_LARGE_H
#define SM_HEAP_LARGE_H

#include "arena/arena.h"

/* align: bytes, a power of two. Returns NULL if there is no memory. */
void *sm_large_alloc(unsigned part, size_t n, size_t align);
/* Clears the block unless SECRETSSL_ZERO=0. */
void sm_large_free(void *p);
/* Grows or shrinks a block in place. Returns false if that is impossible. */
bool sm_large_resize(void *p, size_t n);

#endif
