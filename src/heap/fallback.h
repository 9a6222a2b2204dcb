/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's allocator, for blocks that the arena has no room for (shortage.h decides
 * that), and for pointers that never came from the arena. Never called inside the allocator
 * (sm_enter), which must not wait for the C library's locks.
 */
#ifndef SM_HEAP_FALLBACK_H
#define SM_HEAP_FALLBACK_H

#include "base/common.h"

/*
 * The allocator of a C library. Each link-map namespace of dlmopen() has a C library of its
 * own.
 */
struct sm_c_library {
    void *(*malloc)(size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    size_t (*usable_size)(void *);
};

extern SM_LOCAL const struct sm_c_library sm_own_library; /* of this namespace */

/* Returns a block, zeroed up to the usable size unless SECRETSSL_ZERO=0. Counts the block. */
void *sm_fallback_alloc(size_t n, size_t align);
/* Clears the block first, unless SECRETSSL_ZERO=0. */
void sm_fallback_free(void *p);
/* The bytes beyond the old usable size are zeroed likewise. */
void *sm_fallback_realloc(void *p, size_t n);
size_t sm_fallback_size(const void *p);

/* The same with the C library of another namespace. */
void *sm_fallback_alloc_by(const struct sm_c_library *library, size_t n);
void sm_fallback_free_by(const struct sm_c_library *library, void *p);
void *sm_fallback_realloc_by(const struct sm_c_library *library, void *p, size_t n);

#endif
