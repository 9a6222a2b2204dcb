/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a process whose memory cannot be trusted. */
#ifndef SM_STACKTRACE_FATAL_H
#define SM_STACKTRACE_FATAL_H

/*
 * Called when the heap was misused, or a promise cannot be kept any more: one line, SIGABRT.
 * With an address, that of a misused block, prints the call stack behind the line.
 */
_Noreturn void sm_fatal(const char *kind, const void *address);

#endif
