/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page by which a parent waits for its child's copy: a futex word, a counter of progress,
 * and a robust list by which the kernel tells of the child's death. One is kept for the next
 * fork, so that none fails for want of it: whoever limits what a process may map does that
 * later. It is noted in memory that a child which nobody announced sees as zero: such a child
 * must not use it.
 */
#ifndef SM_FORK_FORK_SHARED_H
#define SM_FORK_FORK_SHARED_H

#include "base/common.h"

struct sm_fork_shared;

/* Whether a filter lets a parent and a child do all that it takes. */
bool sm_fork_shared_possible(void);

/* Before the fork: the page; NULL: there is none to be had. */
struct sm_fork_shared *sm_fork_shared_take(void);

/*
 * In the parent, when it does not wait any more: kept, unless a child that was given up or died
 * may still write to it.
 */
void sm_fork_shared_keep(struct sm_fork_shared *shared);

/*
 * In the parent, after a fork that left an errno: whether there is a child. The clone failed,
 * or some handler of the program's that was called before ours left something there. A clone
 * fails with few errors; where it is one of these, a child shows itself soon if there is one.
 */
bool sm_fork_shared_used(struct sm_fork_shared *shared, int failure);

/* In the parent: until the child has its copy, or died, or made no progress. Counted. */
void sm_fork_shared_wait(struct sm_fork_shared *shared);

/* In the child: where it counts its progress. */
volatile uint32_t *sm_fork_shared_progress(struct sm_fork_shared *shared);

/* In the child, before it copies, and when it has. False: the parent has given it up. */
bool sm_fork_shared_begin(struct sm_fork_shared *shared);
bool sm_fork_shared_done(struct sm_fork_shared *shared);

/* In the child: wakes the parent, which may go on and use the page anew. */
void sm_fork_shared_end(struct sm_fork_shared *shared);

#endif
