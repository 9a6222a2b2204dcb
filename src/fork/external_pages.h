/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret pages outside the arena. They replace the pages of memory that another allocator
 * manages, and a child of fork gets a copy of them.
 */
#ifndef SM_FORK_EXTERNAL_PAGES_H
#define SM_FORK_EXTERNAL_PAGES_H

#include "base/common.h"

/*
 * Replaces a range of pages by secret pages and keeps the contents. Returns 0, or a negative
 * errno value if nothing changed; -ENOSPC if there are too many ranges already. No other thread
 * may write to the range meanwhile.
 */
int sm_external_adopt(void *address, size_t length);

/* Called before a range is unmapped. */
void sm_external_release(const void *address, size_t length);

/* The number of external pages. */
size_t sm_external_pages(void);

/*
 * The fork functions, as for the arena. No thread is inside the allocator. See sm_arena_inherit
 * and fork.h.
 */
bool sm_external_inherit(bool inherit);
const char *
sm_external_fork_copy(volatile uint32_t *progress); /* progress counts pages, for the parent */
const char *sm_external_fork_install(void);
bool sm_external_fork_withhold(void);

/*
 * Whether the range that begins at an address is locked memory, because this child had no
 * secret memory for it.
 */
bool sm_external_is_locked(const void *address);

/*
 * Set by the layer that takes access from ranges; NULL: all can be read. Called in a child
 * before the copy, makes them readable there.
 */
extern SM_LOCAL void (*sm_external_unseal)(void);

#endif
