/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consecutive walks of a stack are mostly the same. The last walk of each stretch of stack is
 * kept, and when a frame matches that walk, the remaining frames are copied from it.
 */
#ifndef SM_STACKTRACE_UNWIND_CACHE_H
#define SM_STACKTRACE_UNWIND_CACHE_H

#include "stacktrace/unwind.h"

#define SM_WALK_MAX (2 * SM_UNWIND_MAX)

struct sm_frame {
    uintptr_t ip, sp;
};

struct sm_walk;

/*
 * Takes the kept walk of the stack around sp, until it is dropped. Returns NULL if another
 * thread has it.
 */
struct sm_walk *sm_walk_take(uintptr_t sp);
void sm_walk_drop(struct sm_walk *walk);

/*
 * Whether all frames above last, the frame number count of a walk, are as in the old walk. at:
 * 0 at first, then the frame's index in the old walk. old may be NULL. end: of this stack.
 */
bool sm_walk_joins(const struct sm_walk *old, const struct sm_frame *last, unsigned count,
                   unsigned *at, uintptr_t end);

/*
 * Completes a walk of count frames and keeps it in place of old. The frames behind are those
 * behind old's frame *at (at NULL: none). Returns the number of frames, SM_WALK_MAX at most.
 */
unsigned sm_walk_keep(struct sm_walk *old, struct sm_frame *frames, unsigned count,
                      const unsigned *at);

#endif
