/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret pages outside the arena. They replace the pages of memory that another allocator
 * manages, and a child of fork gets a copy of them. The design is in docs/locked-memory.md.
 */
#ifndef SM_FORK_EXTERNAL_PAGES_H
#define SM_FORK_EXTERNAL_PAGES_H

#include "arena/arena.h"
#include "base/common.h"

/*
 * Returns whether there are any external pages, for callers that are then spared the call of a
 * function below. Takes no lock.
 */
static inline bool sm_external_any(void)
{
    return sm_unlikely(__atomic_load_n(&sm_arena.external, __ATOMIC_RELAXED) != 0);
}

#define SM_EXTERNAL_ALONE   1U /* No other thread knows the memory yet. */
#define SM_EXTERNAL_MLOCKED 2U /* The program locks it: counted as such. */

/*
 * Replaces a range of whole pages, which are resident and may be written, by secret pages and
 * keeps the contents. Returns 0, or a negative errno value if nothing changed: EBUSY if other
 * threads cannot be kept from writing meanwhile, ENOSPC if there are too many ranges.
 * use: SM_EXTERNAL_... below, or 0.
 */
int sm_external_adopt(void *address, size_t length, unsigned use);

/* Returns true if external pages overlap the range. Takes no lock. */
bool sm_external_overlap(const void *address, size_t length);

/* Returns true if a range of external pages contains the whole range. Takes no lock. */
bool sm_external_contains(const void *address, size_t length);

/* Called before a range is unmapped. */
void sm_external_release(const void *address, size_t length);

/*
 * Replaces the secret pages of a range by ordinary pages with the same contents, locked or not.
 * Returns 0, or a negative errno value if some are still secret. No other thread may write to
 * them meanwhile.
 */
int sm_external_restore(const void *address, size_t length, bool lock);

/* Sets whether children of fork are to have the range. */
void sm_external_keep_from_children(const void *address, size_t length, bool keep);

/* The number of external pages of a kind. */
size_t sm_external_pages(enum sm_kind kind);

/*
 * The fork functions, as for the arena. No thread is inside the allocator. See sm_arena_inherit
 * and fork.h. threads: the parent has several.
 */
void sm_external_fork_prepare(void);
bool sm_external_inherit(bool inherit);
const char *sm_external_fork_copy(volatile uint32_t *progress,
                                  bool threads); /* progress counts pages, for the parent */
const char *sm_external_fork_install(void);
bool sm_external_fork_withhold(void);

/*
 * The same where the kernel makes the copy. touch: makes all of it resident. Returns NULL, or
 * the reason why there is no copy.
 */
const char *sm_external_fork_keep(bool touch);

/* Makes resident what this process has not touched of such a copy. Outside the allocator. */
void sm_external_touch(void);

/*
 * Returns whether the range that begins at an address is locked memory, because this child had
 * no secret memory for it.
 */
bool sm_external_is_locked(const void *address);

/*
 * Set by the layer that takes access from ranges; NULL: all can be read. Called in a child
 * before the copy, makes them readable there.
 */
extern SM_LOCAL void (*sm_external_unseal)(void);

#endif
