/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks up the stack repeat each other: the last one of each stretch of stack is kept, and when
 * a frame is as it was then, the rest is taken over.
 */
#ifndef SM_STACKTRACE_UNWIND_CACHE_H
#define SM_STACKTRACE_UNWIND_CACHE_H

#include "stacktrace/unwind.h"

#define SM_WALK_MAX (2 * SM_UNWIND_MAX)

struct sm_frame {
    uintptr_t ip, sp;
};

struct sm_walk;

/* The walk of the stack that is thereabouts, until it is dropped. NULL: another thread has it.
 */
struct sm_walk *sm_walk_take(uintptr_t sp);
void sm_walk_drop(struct sm_walk *walk);

/*
 * Whether all that is above last, the frame number count of a walk, is as in the old one. at: 0
 * at first; then the frame's place in the old one. old may be NULL. end: of this stack.
 */
bool sm_walk_joins(const struct sm_walk *old, const struct sm_frame *last, unsigned count,
                   unsigned *at, uintptr_t end);

/*
 * Completes a walk of count frames behind which all is as behind old's frame *at (NULL: nothing
 * is), and keeps it in old's place. Returns how many frames there are, SM_WALK_MAX at most.
 */
unsigned sm_walk_keep(struct sm_walk *old, struct sm_frame *frames, unsigned count,
                      const unsigned *at);

#endif
