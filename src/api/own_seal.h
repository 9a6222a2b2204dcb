/* SPDX-License-Identifier: Apache-2.0 */
/* Access to sealed arenas. For arenas that are not sealed these functions do nothing. */
#ifndef SM_API_OWN_SEAL_H
#define SM_API_OWN_SEAL_H

#include "api/own_arena.h"

/* Takes access to the memory of a new arena, by a protection key or else by mprotect(2).
 * Returns 0, or a negative errno value. */
int sm_own_seal_new(struct secretmem_arena *arena, char *start, size_t length);

/* Frees the key of an arena whose memory is unmapped. */
void sm_own_seal_forget(struct secretmem_arena *arena);

/*
 * Give the calling thread access, and take it back. They nest. The caller is inside the
 * allocator and holds the arena's lock, but for SM_OWN_SEALED_BY_KEY, which needs neither.
 * Return 0, or a negative errno value: -EOVERFLOW, -EPERM if this thread has no access to give
 * back, or what mprotect says.
 */
int sm_own_open(struct secretmem_arena *arena);
int sm_own_close(struct secretmem_arena *arena);

/* Whether the calling thread has opened the arena. Async-signal-safe. */
bool sm_own_is_open(const struct secretmem_arena *arena);

/* Gives this process access to the pages without a key: in a child to copy them, and at the
 * end. */
void sm_own_seal_lift(struct secretmem_arena *arena);

/* In a child with its copy: takes access away again, except what the forking thread had. */
void sm_own_seal_restore(struct secretmem_arena *arena);

#endif
