/* SPDX-License-Identifier: Apache-2.0 */
/* malloc, realloc and free over slabs and large runs. The way in is sm_malloc below. */
#ifndef SM_HEAP_MALLOC_H
#define SM_HEAP_MALLOC_H

#include "arena/arena.h"

/*
 * Once per process, at start: who speaks in messages. Safe to call again. The settings
 * must have been read.
 */
void sm_heap_start(void);
bool sm_heap_started(void);

/*
 * After it the settings are read-only, and where the arena lies is as soon as there is one:
 * whoever can write one word of this library's does not move its heap.
 */
void sm_heap_seal(void);

/* sm_arena_shrink(), for callers that are not inside. */
void sm_heap_shrink(size_t allowed);

/* Makes so many bytes of a partition present ahead of their use. Returns what it got. */
size_t sm_heap_reserve(unsigned part, size_t bytes);

/*
 * n bytes, zero unless SECRETSSL_ZERO=0, aligned to 16. n == 0 is a block of its own. NULL:
 * none, for the reason that shortage.h has; errno may be set by the C library. Thread-safe; not
 * async-signal-safe.
 */
void *sm_malloc(size_t n, unsigned part);
void *sm_aligned_malloc(size_t align, size_t n, unsigned part);

/* p may be foreign (the C library's), not NULL. */
void sm_free(void *p);

/*
 * n is not 0 and p not NULL. On failure p stays. A block stays in its partition, and a
 * foreign one with the C library, whose free() its owner may call.
 */
void *sm_realloc(void *p, size_t n);

/* The same for blocks of the arena and none else, NULL where it is full. */
void *sm_arena_malloc(size_t n, unsigned part);
void *sm_arena_realloc(void *p, size_t n);

/* As sm_malloc, of n not 0, for what OpenSSL cannot do without (sm_short_needed). */
void *sm_malloc_needed(size_t n, unsigned part);

/* The bytes of the block that may be used: for ours, those asked for. */
size_t sm_usable_size(const void *p);

/* Whether p lies in the arena, and its page is secret memory (not degraded). */
bool sm_is_secret(const void *p);

#endif
