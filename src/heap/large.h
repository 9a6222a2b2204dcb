/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of more than SM_SMALL_MAX bytes: whole page runs. Called inside (sm_enter). */
#ifndef SM_LARGE_H
#define SM_LARGE_H

#include "arena/arena.h"

/* align: bytes, a power of two. NULL: out of memory. */
void *sm_large_alloc(unsigned part, size_t n, size_t align);
/* Clears it unless SECRETSSL_ZERO=0. */
void sm_large_free(void *p);
/* Grows or shrinks in place. False: it cannot. */
bool sm_large_resize(void *p, size_t n);

struct sm_thread_cache;

/* What a thread kept goes to the arena. Whether there was any. Thread-safe. */
bool sm_large_flush(struct sm_thread_cache *cache);

static inline size_t sm_large_size(uint32_t page)
{
    return sm_arena.pages[page].size;
}

#endif
