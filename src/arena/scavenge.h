/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free memory goes back to the kernel, chunk by chunk, from the highest addresses down. What
 * was free for a whole period is surplus, but for a reserve. docs/heap.md has the policy.
 */
#ifndef SM_ARENA_SCAVENGE_H
#define SM_ARENA_SCAVENGE_H

#include "arena/arena.h"

/* In milliseconds. Tests of other things set it so high that nothing goes back. */
extern SM_LOCAL uint32_t sm_scavenge_period;

#define SM_SCAVENGE_PERIOD  150          /* milliseconds */
#define SM_SCAVENGE_RESERVE (4 * SM_MIB) /* bytes that stay, at least */

/*
 * Whether a period is over. Then some thread calls sm_scavenge_begin() with the bytes of live
 * blocks, which plans what goes back in the next one. Called off the fast path, inside the
 * allocator, with no lock held. Thread-safe.
 */
bool sm_scavenge_due(void);
void sm_scavenge_begin(uint64_t live);

/* Gives a little back, if there is a plan. Called in the same way. */
void sm_scavenge_step(void);

/*
 * The number of the last plan. A thread that sees a new number gives its own stocks back,
 * because a chunk is empty only when nobody keeps anything of it. While the plan compacts,
 * threads keep no stocks, so that every block comes from the lowest addresses.
 */
uint32_t sm_scavenge_plan(void);
bool sm_scavenge_compacts(void);

/*
 * Ends the plan, before the program limits what it may do: the next plan asks whether memory
 * could be mapped again. Called inside the allocator.
 */
void sm_scavenge_stop(void);

/* Called in a child of fork. */
void sm_scavenge_after_fork(void);

#endif
