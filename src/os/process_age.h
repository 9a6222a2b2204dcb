/* SPDX-License-Identifier: Apache-2.0 */
/* How long ago a process began. */
#ifndef SM_OS_PROCESS_AGE_H
#define SM_OS_PROCESS_AGE_H

#include "base/common.h"

#define SM_AGE_UNKNOWN UINT64_MAX
#define SM_AGE_ERROR   20 /* milliseconds: the kernel shows hundredths of a second */

/*
 * The age in milliseconds of a process, which may have ended without being waited for, or
 * SM_AGE_UNKNOWN (no /proc, a filter).
 */
uint64_t sm_process_age(long pid);

#endif
