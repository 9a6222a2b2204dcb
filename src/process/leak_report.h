/* SPDX-License-Identifier: Apache-2.0 */
/* SECRETSSL_TRACE=1: what is live when the process ends, by the call stacks that asked for it.
 */
#ifndef SM_PROCESS_LEAK_REPORT_H
#define SM_PROCESS_LEAK_REPORT_H

/*
 * The report: some lines, most bytes first. Blocks of the arena; not those that the C library
 * got. Not inside; takes all locks of the allocator for a moment, then those of the dynamic
 * linker.
 */
void sm_leaks_report(void);

#endif
