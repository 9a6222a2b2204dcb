/* SPDX-License-Identifier: Apache-2.0 */
/* Call stacks by libunwind, which is loaded when the first stack is requested. */
#ifndef SM_STACKTRACE_BACKTRACE_H
#define SM_STACKTRACE_BACKTRACE_H

#include "base/common.h"

/*
 * Reports the caller's stack, a line for each frame, in a process that is about to end. Takes
 * locks of the dynamic linker and allocates from the C library. If the report hangs, SIGABRT
 * still ends the process; the default action of SIGABRT must be in place.
 */
void sm_stack_report(void);

#endif
