/* SPDX-License-Identifier: Apache-2.0 */
/* malloc, realloc and free over slabs and large runs. The entry point is sm_malloc below. */
#ifndef SM_HEAP_MALLOC_H
#define SM_HEAP_MALLOC_H

#include "arena/arena.h"

/*
 * Starts the allocator. Called once per process, at start, after the settings were read. Safe
 * to call again.
 */
void sm_heap_start(void);
bool sm_heap_started(void);

/*
 * Makes the settings read-only, and the location of the arena as soon as there is an arena. An
 * attacker who can write one word of this library cannot move its heap.
 */
void sm_heap_seal(void);

/* sm_arena_shrink(), for callers outside the allocator. */
void sm_heap_shrink(size_t allowed);

/* Called before a sandbox is made: nothing more is given back until it is known what works in
 * it. */
void sm_heap_keep(void);

/*
 * Makes bytes of a partition resident ahead of use. Returns the number of bytes made resident.
 */
size_t sm_heap_reserve(unsigned part, size_t bytes);

/*
 * Return a block of n bytes, zeroed unless SECRETSSL_ZERO=0 and aligned to 16. n == 0 gives a
 * block of its own. On failure return NULL, with the reason recorded as in shortage.h; the C
 * library may set errno. Thread-safe. Not async-signal-safe.
 */
void *sm_malloc(size_t n, unsigned part);
void *sm_aligned_malloc(size_t align, size_t n, unsigned part);

/* Frees p, which is not NULL and may be foreign (from the C library). */
void sm_free(void *p);

/* Frees the blocks that were freed in the window of a fork, once it is closed. */
void sm_heap_free_deferred(void);

/*
 * Resizes p, which is not NULL, to n bytes, not 0. On failure p stays valid. A block keeps its
 * partition. A foreign block stays with the C library, because its owner may call the C
 * library's free().
 */
void *sm_realloc(void *p, size_t n);

/* The same for blocks of the arena only. Returns NULL if the arena is full. */
void *sm_arena_malloc(size_t n, unsigned part);

/*
 * The same with n not 0 and the C library of a namespace (fallback.h). needed: OpenSSL cannot
 * do without the block (sm_short_needed).
 */
struct sm_c_library;
void *sm_malloc_by(const struct sm_c_library *library, size_t n, unsigned part, bool needed);
void *sm_realloc_by(const struct sm_c_library *library, void *p, size_t n);

/* Returns the usable bytes of a block: for a block of the arena, the requested size. */
size_t sm_usable_size(const void *p);

/* Whether p lies in the arena and its page is secret memory (not degraded). */
bool sm_is_secret(const void *p);

#endif
