/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret pages outside the arena: put under memory that somebody else allocates from, and
 * part of what a child of fork gets a copy of.
 */
#ifndef SM_FORK_EXTERNAL_PAGES_H
#define SM_FORK_EXTERNAL_PAGES_H

#include "base/common.h"

/*
 * Puts secret pages under a range of pages, contents kept. 0, or a negative errno value:
 * then nothing changed. Nobody else may write to the range meanwhile.
 */
int sm_external_adopt(void *address, size_t length);

/* Before a range is unmapped. */
void sm_external_release(const void *address, size_t length);

/* How many pages there are. */
size_t sm_external_pages(void);

/* Fork, as for the arena; nobody is inside. See sm_arena_inherit and fork.h. */
bool sm_external_inherit(bool inherit);
const char *
sm_external_fork_copy(volatile uint32_t *progress); /* counts pages, for the parent */
const char *sm_external_fork_install(void);
bool sm_external_fork_withhold(void);

#endif
