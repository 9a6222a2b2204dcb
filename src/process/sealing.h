/* SPDX-License-Identifier: Apache-2.0 */
/* Begins to seal private keys (SECRETSSL_SEAL), if this machine and process can. */
#ifndef SM_PROCESS_SEALING_H
#define SM_PROCESS_SEALING_H

#include "base/common.h"

/*
 * Called once, when the allocator has started and nothing is allocated yet. Takes a protection
 * key. Without one, exits with status 78 with SECRETSSL_SEAL=require, and reports it with
 * prefer. Returns whether there is one.
 */
bool sm_sealing_begin(void);

/*
 * Called where private keys cannot be sealed although there is a protection key. The reason
 * ends the line. Returns with SECRETSSL_SEAL=prefer only.
 */
void sm_sealing_refuse(const char *subject, const char *reason);

#endif
