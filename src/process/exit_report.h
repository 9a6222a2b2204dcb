/* SPDX-License-Identifier: Apache-2.0 */
/* What is said when the process ends: SECRETSSL_STATS and SECRETSSL_TRACE. */
#ifndef SM_ENDING_H
#define SM_ENDING_H

#include "base/common.h"

/*
 * When the settings are known: for quick_exit(), which runs no destructors.
 * used: whether there is anything to say by then. Safe to call again.
 */
void sm_ending_init(const bool *used);

/*
 * In a destructor: says it when those of all other objects have run, too, since
 * OpenSSL frees its memory in an exit handler of its own, or in a destructor.
 */
void sm_ending_last(void);

#endif
