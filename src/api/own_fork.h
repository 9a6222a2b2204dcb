/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas of the program's own in a forked child, and frees in the middle of a fork. */
#ifndef SM_API_OWN_FORK_H
#define SM_API_OWN_FORK_H

#include "base/common.h"

/* Sets the fork layer's hooks. Safe to call again. release: frees a block that was put off. */
void sm_own_fork_init(void (*release)(void *));

/*
 * Puts off the free of a block in the window of a fork, because the child may be about to copy
 * it. Returns false if this thread is in no window.
 */
bool sm_own_fork_defer(void *p);

#endif
