/* SPDX-License-Identifier: Apache-2.0 */
/* The reports at the end of the process: SECRETSSL_STATS and SECRETSSL_TRACE. */
#ifndef SM_PROCESS_EXIT_REPORT_H
#define SM_PROCESS_EXIT_REPORT_H

#include "base/common.h"

/*
 * Called when the settings are known, for quick_exit(), which runs no destructors. used:
 * whether there is anything to report by then. Safe to call again.
 */
void sm_exit_report_init(const bool *used);

/*
 * Called in a destructor. Reports after the destructors of all other objects have run too,
 * because OpenSSL frees its memory in an exit handler of its own, or in a destructor.
 */
void sm_exit_report_register(void);

/* Prints one line, for SECRETSSL_STATS. */
void sm_stats_print(void);

#endif
