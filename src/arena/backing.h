/* SPDX-License-Identifier: Apache-2.0 */
/* How the arena's pages get memory behind them, and what happens when it is short. */
#ifndef SM_ARENA_BACKING_H
#define SM_ARENA_BACKING_H

#include "arena/arena.h"
#include "arena/shortage.h"

#define SM_CHUNK_FIRST (64 * SM_KIB) /* what a partition maps first */

/*
 * Maps more memory at the end of a partition: at least so many pages, more if that is
 * cheap. False: the cap is reached, or nothing may be mapped. The partition is locked.
 */
bool sm_backing_grow(unsigned part, uint32_t pages);

/*
 * Makes the pages of a run present. A page for which there is no secret memory becomes
 * locked or, where nothing may be locked, plain memory: counted, and said once; with
 * SECRETSSL_REQUIRE, false instead. The run is the caller's.
 */
bool sm_backing_populate(uint32_t page, uint32_t pages);

/* Whether a partition's pages are to be secret at all (SECRETSSL_ROUTE). */
bool sm_backing_secret(unsigned part);

/* The flags for memfd_secret to try in this partition. */
unsigned sm_backing_flags(unsigned part);

/*
 * sm_pages_map_secret() for a partition, with its flags. Where the kernel refuses only those,
 * it is cached secret memory, and said once; map->flags is what it was mapped with. Not with
 * SECRETSSL_UNCACHED=require: then it fails. map->address is not NULL. Returns map->error.
 */
struct sm_secret_map;
int sm_backing_map_secret(unsigned part, struct sm_secret_map *map);

/* Uncached memory is required there, and was refused: what does not fit any more fails. */
bool sm_backing_refused(unsigned part);

/* Whether a partition may have locked memory where there is no secret memory. */
bool sm_backing_may_degrade(unsigned part);

/* Raises RLIMIT_MEMLOCK for this arena, once, as far as that is allowed. */
void sm_backing_raise_limit(void);

/* Whether a page, if it is present, is in no cache of the CPU's. */
bool sm_backing_uncached(const struct sm_page *page);

/*
 * At start, with SECRETSSL_REQUIRE or SECRETSSL_UNCACHED=require: refuses (exit 78) if
 * this machine cannot do it.
 */
void sm_backing_check(void);

/* Memory is only of this kind, for that reason: counted, and said once. */
static inline void sm_backing_degraded(enum sm_kind kind, long error)
{
    sm_short_degraded(kind, error);
}

#endif
