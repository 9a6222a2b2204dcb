/* SPDX-License-Identifier: Apache-2.0 */
/* The sealed partition: with SECRETSSL_SEAL the memory of BYTES has the protection key. */
#ifndef SM_ARENA_SEALED_H
#define SM_ARENA_SEALED_H

#include "arena/arena.h"
#include "os/protection_key.h"

/* Whether a partition is sealed. */
static inline bool sm_is_sealed(unsigned part)
{
    return sm_pku_is_on() && part == SM_PART_BYTES;
}

/* Whether p is a block of the sealed partition. */
static inline bool sm_in_sealed(const void *p)
{
    return sm_pku_is_on() && sm_arena_owns(p) && sm_part_of(p) == SM_PART_BYTES;
}

/* sm_pku_open(), for work on blocks of a partition that may be the sealed one. */
static inline bool sm_sealed_open(unsigned part)
{
    return sm_is_sealed(part) && sm_pku_open();
}

/*
 * Gives the key to memory that was just mapped, in the place of the pages of an entry or for a
 * copy of them. Returns 0, or a negative errno value with SECRETSSL_SEAL=require. With prefer a
 * failure is a lapse, and the memory is accessible to all.
 */
int sm_sealed_protect(unsigned part, void *address, size_t length);

/*
 * Called in a child that has its copy: gives the key to all mapped pages of the sealed
 * partition. Where that fails, exits with status 78 with SECRETSSL_SEAL=require.
 */
void sm_sealed_child(void);

#endif
