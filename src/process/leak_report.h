/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SECRETSSL_TRACE=1: reports the live blocks at the end of the process, by the call stacks that
 * requested them.
 */
#ifndef SM_PROCESS_LEAK_REPORT_H
#define SM_PROCESS_LEAK_REPORT_H

/*
 * Prints the report: some lines, most bytes first. Covers blocks of the arena, not blocks of
 * the C library. Called outside the allocator. Takes all locks of the allocator for a moment,
 * then those of the dynamic linker.
 */
void sm_leaks_report(void);

#endif
