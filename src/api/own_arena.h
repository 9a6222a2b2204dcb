/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory outside the heap: arenas of the program's own, and secret memory that came by a
 * descriptor. The design is in docs/library.md.
 */
#ifndef SM_API_OWN_ARENA_H
#define SM_API_OWN_ARENA_H

#include "api/own_blocks.h"
#include "base/memory_kind.h"
#include "os/futex_lock.h"

#define SM_OWN_ARENAS 256

/* How access to a sealed arena is given and taken */
enum sm_own_seal { SM_OWN_NOT_SEALED, SM_OWN_SEALED_BY_MPROTECT, SM_OWN_SEALED_BY_KEY };

struct secretmem_arena {
    char *start;   /* NULL: unused. Written last, and cleared first */
    size_t length; /* bytes, without the inaccessible page on either side */
    struct sm_own_blocks blocks;
    size_t blocks_memory; /* bytes of the bitmaps; 0: a descriptor's memory, no arena */
    struct sm_lock lock;
    enum sm_kind kind;
    enum sm_own_seal seal;
    int key;         /* of SM_OWN_SEALED_BY_KEY */
    uint32_t opened; /* begin without end, of all threads */
    bool claimed;    /* being made, or in use */
    bool inherited;  /* a child of fork gets a copy */
    bool withheld;   /* this child has none */
};

extern SM_LOCAL struct secretmem_arena sm_own_arenas[SM_OWN_ARENAS];

/* Returns the arena, or the descriptor's memory, that an address lies in; NULL: none. No lock.
 */
struct secretmem_arena *sm_own_arena_of(const void *p);

/* Whether this is an arena that was made and not destroyed. */
bool sm_own_arena_valid(const struct secretmem_arena *arena);

/*
 * Claims an entry of the table. Enters the allocator for that. Returns 0, or a negative errno
 * value and *arena is NULL: EBUSY in the window of a fork, ENOSPC where none is left.
 */
int sm_own_claim(struct secretmem_arena **arena);

/* Gives a claimed entry back. Called inside the allocator. */
void sm_own_unclaim(struct secretmem_arena *arena);

/* Publishes an entry with its memory, and takes it back. Neither maps nor unmaps. */
void sm_own_publish(struct secretmem_arena *arena, char *start, size_t length);
void sm_own_withdraw(struct secretmem_arena *arena);

#endif
