/* SPDX-License-Identifier: Apache-2.0 */
/* When a process began. */
#ifndef SM_OS_PROCESS_AGE_H
#define SM_OS_PROCESS_AGE_H

#include "base/common.h"

/* The time since boot in milliseconds, without a system call; 0 where that cannot be had. */
uint64_t sm_since_boot(void);

/*
 * Whether a process, which may have ended without being waited for, began at a time since boot
 * or later. False also if that is not known (no /proc, a filter). The kernel counts in
 * hundredths of a second, so it may have begun so much earlier. Keeps errno.
 */
bool sm_process_began_after(long pid, uint64_t milliseconds);

#endif
