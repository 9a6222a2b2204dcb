/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of more than SM_SMALL_MAX bytes: whole page runs. Called inside (sm_enter). */
#ifndef SM_HEAP_LARGE_H
#define SM_HEAP_LARGE_H

#include "arena/arena.h"

/* align: bytes, a power of two. NULL: out of memory. */
void *sm_large_alloc(unsigned part, size_t n, size_t align);
/* Clears it unless SECRETSSL_ZERO=0. */
void sm_large_free(void *p);
/* Grows or shrinks in place. False: it cannot. */
bool sm_large_resize(void *p, size_t n);

#endif
