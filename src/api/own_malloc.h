/* SPDX-License-Identifier: Apache-2.0 */
/* malloc and free in an arena of the program's own. errno as for the C library's functions. */
#ifndef SM_API_OWN_MALLOC_H
#define SM_API_OWN_MALLOC_H

#include "api/own_arena.h"

void *sm_own_malloc(struct secretmem_arena *arena, size_t size);

/* For p in such an arena: a block, or the program's misuse. */
void sm_own_free(void *p);
void *sm_own_realloc(void *p, size_t size);
size_t sm_own_usable_size(const void *p);

#endif
