/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page by which a parent waits for its child's copy: a futex word, a progress counter, and
 * a robust list by which the kernel reports the child's death. One page is kept for the next
 * fork, because a program may later limit what it can map, and no fork should fail for lack of
 * the page. The kept page is recorded in memory that an unannounced child sees zeroed, because
 * such a child must not use the page.
 */
#ifndef SM_FORK_FORK_SHARED_H
#define SM_FORK_FORK_SHARED_H

#include "base/common.h"

struct sm_fork_shared;

/* Called before the fork. Returns the page, or NULL if there is none. */
struct sm_fork_shared *sm_fork_shared_take(void);

/*
 * Called in the parent when it no longer waits. Keeps the page, unless a child that was given
 * up or died may still write to it.
 */
void sm_fork_shared_keep(struct sm_fork_shared *shared);

/*
 * Called in the parent after a fork that left an errno. Returns whether there is a child:
 * either the clone failed, or an atfork handler of the program that ran before this library's
 * handler left the errno. A clone fails with few errors. If failure is one of these, a child,
 * if there is one, shows itself soon.
 */
bool sm_fork_shared_used(struct sm_fork_shared *shared, int failure);

/*
 * Called in the parent. Waits until the child has its copy, died, or made no progress. Counts
 * the outcome.
 */
void sm_fork_shared_wait(struct sm_fork_shared *shared);

/* In the child: returns the child's progress counter. */
volatile uint32_t *sm_fork_shared_progress(struct sm_fork_shared *shared);

/*
 * Called in the child before the copy and after the copy. Return false if the parent has given
 * the child up.
 */
bool sm_fork_shared_begin(struct sm_fork_shared *shared);
bool sm_fork_shared_done(struct sm_fork_shared *shared);

/* Called in the child. Wakes the parent, which may go on and use the page again. */
void sm_fork_shared_end(struct sm_fork_shared *shared);

#endif
