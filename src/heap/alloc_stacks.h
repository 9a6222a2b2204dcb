/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SECRETSSL_TRACE=1: which call stack each block of the arena was asked for by. The design is
 * in docs/trace.md.
 */
#ifndef SM_HEAP_ALLOC_STACKS_H
#define SM_HEAP_ALLOC_STACKS_H

#include "base/common.h"

#define SM_TRACE_STACKS 65535 /* numbers of stacks are below this; 0: none is known */

/* A block got its place or its size. Inside; with no lock. Keeps errno. */
void sm_trace_note(const void *p);

/* The number of the stack of a live block. */
unsigned sm_trace_stack_of(const void *p);

/* The frames of a stack, the nearest to the block first; how many. */
unsigned sm_trace_frames(unsigned stack, const uintptr_t **frames);

/* How many stacks are known: their numbers are 1 to this. */
unsigned sm_trace_stacks(void);

#endif
