/* SPDX-License-Identifier: Apache-2.0 */
/* Call stacks, by libunwind, which is loaded when the first is asked for. */
#ifndef SM_STACKTRACE_BACKTRACE_H
#define SM_STACKTRACE_BACKTRACE_H

#include "base/common.h"

/*
 * Reports the caller's stack, a line for each frame; for a process that is about to end:
 * takes locks of the dynamic linker and allocates from the C library. Should it hang, the
 * process is ended by SIGABRT all the same, whose default action must be in place.
 */
void sm_stack_report(void);

#endif
