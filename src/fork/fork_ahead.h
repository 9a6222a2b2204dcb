/* SPDX-License-Identifier: Apache-2.0 */
/* A copy that the parent makes before the clone, in a spare. docs/fork.md has the design. */
#ifndef SM_FORK_FORK_AHEAD_H
#define SM_FORK_FORK_AHEAD_H

#include "base/common.h"

/*
 * Makes the copy, if nothing else can write to the secrets before the clone. alone: no handler
 * of the program runs between this call and the clone. Returns false where the child must make
 * its copy itself.
 */
bool sm_fork_ahead_make(bool alone);

/* In the parent, after the clone, also after one that failed. */
void sm_fork_ahead_end(void);

/*
 * In the child: moves the copy to the arena's place. Returns NULL, or the reason why that
 * failed. *pages: the number of pages copied.
 */
const char *sm_fork_ahead_place(uint64_t *pages);

#endif
