/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SECRETSSL_TRACE=1: records the call stack that requested each block of the arena. The design
 * is in docs/trace.md.
 */
#ifndef SM_HEAP_ALLOC_STACKS_H
#define SM_HEAP_ALLOC_STACKS_H

#include "base/common.h"

#define SM_TRACE_STACKS 65535 /* stack numbers are below this; 0: no stack known */

/*
 * Records the current stack for a block that was placed or resized. Called inside the
 * allocator, with no lock held. Keeps errno.
 */
void sm_trace_note(const void *p);

/* Returns the number of the stack of a live block. */
unsigned sm_trace_stack_of(const void *p);

/*
 * Sets frames to the frames of a stack, the nearest to the block first. Returns their number.
 */
unsigned sm_trace_frames(unsigned stack, const uintptr_t **frames);

/* Returns the number of known stacks. Their numbers are 1 to this. */
unsigned sm_trace_stacks(void);

#endif
