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
 * errno value if nothing changed. No other thread may write to the range meanwhile.
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

#endif
