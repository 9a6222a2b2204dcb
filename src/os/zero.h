/* SPDX-License-Identifier: Apache-2.0 */
/* Whether memory is clear, and clearing it, by the widest vectors that the processor has. */
#ifndef SM_OS_ZERO_H
#define SM_OS_ZERO_H

#include "base/common.h"

/* Once, at start; without it the narrowest are used. */
void sm_zero_init(void);

/* p and size are multiples of 16. Async-signal-safe. */
bool sm_is_zero(const void *p, size_t size);

/* Writes only where something is: what of a large buffer was never used stays clean. */
void sm_zero_dirty(void *p, size_t size);

#endif
