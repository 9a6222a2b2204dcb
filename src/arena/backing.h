/* SPDX-License-Identifier: Apache-2.0 */
/* How the arena's pages get memory, and what happens when memory is short. */
#ifndef SM_ARENA_BACKING_H
#define SM_ARENA_BACKING_H

#include "arena/arena.h"
#include "arena/shortage.h"

/*
 * Makes the pages of a run resident. A page for which there is no secret memory becomes locked
 * or, where nothing may be locked, plain memory. Such pages are counted, and reported once.
 * With SECRETSSL_REQUIRE, returns false instead. The caller owns the run.
 */
bool sm_backing_populate(uint32_t page, uint32_t pages);

/*
 * The same for one kernel page, given by its first entry and its address, or the address of its
 * copy. Changes the entry's kind, not whether it is present. Returns 0, or a negative errno
 * value.
 */
int sm_backing_present(struct sm_page *page, char *at);

/* Whether a partition's pages should be secret memory at all (SECRETSSL_ROUTE). */
bool sm_backing_secret(unsigned part);

/* The memfd_secret flags to try in this partition. */
unsigned sm_backing_flags(unsigned part);

/*
 * Calls sm_pages_map_secret() for a partition, with its flags. If the kernel refuses only the
 * flags, maps cached secret memory and reports that once; map->flags are the flags used. With
 * SECRETSSL_UNCACHED=require, fails instead. Asks for huge blocks. map->address is not NULL.
 * Returns map->error.
 */
struct sm_secret_map;
int sm_backing_map_secret(unsigned part, struct sm_secret_map *map);

/*
 * Whether uncached memory is required in this partition and was refused. If so, blocks that do
 * not fit any more fail.
 */
bool sm_backing_is_refused(unsigned part);

/* The kernel's error for that, or 0. */
int sm_backing_refusal(void);

/* Whether a partition may get locked memory where there is no secret memory. */
bool sm_backing_may_degrade(unsigned part);

/* Raises RLIMIT_MEMLOCK for this arena, once, as far as allowed. */
void sm_backing_raise_limit(void);

/*
 * Gives memory back that this process keeps for later, because the kernel has none for the
 * arena. Set by the fork layer; NULL: there is none. Returns whether there was any.
 */
extern SM_LOCAL bool (*sm_backing_reclaim)(void);

/* Calls it. */
bool sm_backing_reclaimed(void);

/* Counts pages like this one that became resident (pages negative: that are no longer). */
void sm_backing_count(unsigned part, const struct sm_page *page, int pages);

/* Whether a page, if resident, is in no cache of the CPU. */
bool sm_backing_uncached(const struct sm_page *page);

/*
 * Called at start, with SECRETSSL_REQUIRE or SECRETSSL_UNCACHED=require. Exits with status 78
 * if this machine cannot meet the requirement.
 */
void sm_backing_check(void);

#endif
