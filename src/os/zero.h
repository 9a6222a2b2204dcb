/* SPDX-License-Identifier: Apache-2.0 */
/* Checks whether memory is zeroed, and clears memory, with the processor's widest vectors. */
#ifndef SM_OS_ZERO_H
#define SM_OS_ZERO_H

#include "base/common.h"

/* Called once, at start. Without this call, the narrowest vectors are used. */
void sm_zero_init(void);

/* p and size are multiples of 16. Async-signal-safe. */
bool sm_is_zero(const void *p, size_t size);

/* Writes only to parts that are not zero, so that unused parts of a large buffer stay clean. */
void sm_zero_dirty(void *p, size_t size);

#endif
