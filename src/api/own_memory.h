/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of an arena of the program's own: mapped whole, all of it resident. */
#ifndef SM_API_OWN_MEMORY_H
#define SM_API_OWN_MEMORY_H

#include "api/own_arena.h"

struct sm_own_memory {
    size_t length;     /* in: bytes, whole pages */
    bool inherited;    /* in: a child of fork gets a copy */
    bool require;      /* in: secret memory or none */
    char *start;       /* out */
    enum sm_kind kind; /* out: SECRET, or where that is not required LOCKED or PLAIN */
};

/*
 * Makes memory between two inaccessible pages. Returns 0, or a negative errno value. Without
 * secret memory the shortage is counted and reported. Not called inside the allocator.
 */
int sm_own_memory_make(struct sm_own_memory *memory);

/* Unmaps it. Nothing may use it any more. */
void sm_own_memory_drop(char *start, size_t length, enum sm_kind kind, bool inherited);

/* Reserves a place for length bytes between two inaccessible pages; NULL: none. */
char *sm_own_place(size_t length);

#endif
