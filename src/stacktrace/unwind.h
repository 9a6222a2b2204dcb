/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call stacks by libunwind, taken where malloc takes them: without a lock of the dynamic
 * linker, and without a read outside the stack and the objects that the frames are in. The
 * design is in docs/trace.md.
 */
#ifndef SM_STACKTRACE_UNWIND_H
#define SM_STACKTRACE_UNWIND_H

#include "base/common.h"

#define SM_UNWIND_MAX 32 /* frames; those nearest to the caller are kept */

/*
 * Loads libunwind, once; what cannot be is said. Takes locks of the dynamic linker: only where
 * the program may be expected to take them, and with none of ours.
 */
void sm_unwind_load(void);

/* Whether stacks can be taken. Loads libunwind if this is the only thread. Inside. */
bool sm_unwind_ready(void);

/*
 * The return addresses of the callers of this library, the nearest first; how many. Only if
 * ready. Inside, so that no fork happens while libunwind holds its own locks.
 */
unsigned sm_unwind_stack(uintptr_t *frames);

#endif
