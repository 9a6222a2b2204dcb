/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of a child that are rebuilt only when somebody enters the allocator. docs/fork.md has
 * the design ("Copied by the kernel").
 */
#ifndef SM_FORK_FORK_LATER_H
#define SM_FORK_FORK_LATER_H

#include "base/common.h"

/*
 * Called in the child of a fork for which the kernel made the copy, with the gate closed, which
 * stays closed. Takes the live blocks and bytes that the parent has counted.
 */
void sm_fork_postpone(uint64_t blocks, int64_t bytes);

/* Whether the tables are still to be rebuilt. */
bool sm_fork_is_postponed(void);

/* Rebuilds them now, if that was postponed. Called outside the allocator. Thread-safe. */
void sm_fork_catch_up(void);

#endif
