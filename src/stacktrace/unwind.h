/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call stacks by libunwind, taken in malloc: without a lock of the dynamic linker, and without
 * a read outside the stack and the objects of the frames. The design is in docs/trace.md.
 */
#ifndef SM_STACKTRACE_UNWIND_H
#define SM_STACKTRACE_UNWIND_H

#include "base/common.h"

#define SM_UNWIND_MAX 32 /* frames; those nearest to the caller are kept */

/*
 * Loads libunwind, once, and reports failures. Takes locks of the dynamic linker, so it is
 * called only where the program may be expected to take these locks, and with none of this
 * library's locks held.
 */
void sm_unwind_load(void);

/*
 * Whether stacks can be taken. Loads libunwind if this is the only thread. Called inside the
 * allocator.
 */
bool sm_unwind_ready(void);

/*
 * Stores the return addresses of this library's callers in frames, the nearest first, and
 * returns their number. Only called if ready. Called inside the allocator, so that no fork
 * happens while libunwind holds its own locks.
 */
unsigned sm_unwind_stack(uintptr_t *frames);

#endif
