/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's allocator, for what the arena has no room for (shortage.h decides that), and
 * for pointers that were never ours. Never called inside (sm_enter): its locks are not ours to
 * wait for.
 */
#ifndef SM_HEAP_FALLBACK_H
#define SM_HEAP_FALLBACK_H

#include "base/common.h"

/* The functions of a C library: a name space of dlmopen() has one of its own. */
struct sm_c_library {
    void *(*malloc)(size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    size_t (*usable_size)(void *);
};

/* Counted. Zero, up to the usable size, unless SECRETSSL_ZERO=0. */
void *sm_fallback_alloc(size_t n, size_t align);
/* Cleared first unless SECRETSSL_ZERO=0. */
void sm_fallback_free(void *p);
/* What it gains beyond its usable size is zero likewise. */
void *sm_fallback_realloc(void *p, size_t n);
size_t sm_fallback_size(const void *p);

/* The same with another C library than ours */
void *sm_fallback_alloc_by(const struct sm_c_library *library, size_t n);
void sm_fallback_free_by(const struct sm_c_library *library, void *p);
void *sm_fallback_realloc_by(const struct sm_c_library *library, void *p, size_t n);

#endif
