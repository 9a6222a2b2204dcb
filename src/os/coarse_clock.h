/* SPDX-License-Identifier: Apache-2.0 */
/* A clock that never takes a system call, which a filter could kill for. */
#ifndef SM_OS_COARSE_CLOCK_H
#define SM_OS_COARSE_CLOCK_H

#include "base/common.h"

/*
 * The time in milliseconds since some point, as exact as the kernel's timer tick, or 0 where
 * the kernel gives no such clock. Keeps errno.
 */
uint64_t sm_coarse_clock(void);

#endif
