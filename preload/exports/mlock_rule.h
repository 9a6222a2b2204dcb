/* SPDX-License-Identifier: Apache-2.0 */
/* Which locks of the program are answered with secret pages. See docs/locked-memory.md. */
#ifndef PRELOAD_EXPORTS_MLOCK_RULE_H
#define PRELOAD_EXPORTS_MLOCK_RULE_H

#include "base/common.h"

/*
 * OTHERS: not memory that the program mapped to have all of it for itself. LARGE: such memory,
 * but over the cap. BUSY, by exports/mlock.c: other threads cannot be kept from writing to it.
 */
enum lock_rule { LOCK_MEANT, LOCK_OTHERS, LOCK_LARGE, LOCK_BUSY };

#define LOCK_LARGEST (16 * SM_MIB)

/*
 * Judges whole pages. The allocator has started. stack: an address in the caller's stack.
 */
enum lock_rule lock_judge(char *address, size_t length, const void *stack);

#endif
