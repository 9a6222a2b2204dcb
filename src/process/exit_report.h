/* SPDX-License-Identifier: Apache-2.0 */
/* What is said when the process ends: SECRETSSL_STATS and SECRETSSL_TRACE. */
#ifndef SM_PROCESS_EXIT_REPORT_H
#define SM_PROCESS_EXIT_REPORT_H

#include "base/common.h"

/*
 * When the settings are known: for quick_exit(), which runs no destructors.
 * used: whether there is anything to say by then. Safe to call again.
 */
void sm_exit_report_init(const bool *used);

/*
 * In a destructor: says it when those of all other objects have run, too, since
 * OpenSSL frees its memory in an exit handler of its own, or in a destructor.
 */
void sm_exit_report_register(void);

/* One line, for SECRETSSL_STATS. */
void sm_stats_print(void);

#endif
