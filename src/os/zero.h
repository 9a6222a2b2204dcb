/* SPDX-License-Identifier: Apache-2.0 */
/* Whether memory is clear, and clearing it, by the widest vectors that the processor has. */
#ifndef SM_SWEEP_H
#define SM_SWEEP_H

#include "base/common.h"

/* Once, at start; without it the narrowest are used. */
void sm_sweep_init(void);

/* p and size are multiples of 16. Async-signal-safe. */
bool sm_sweep_look(const void *p, size_t size);

/* Writes only where something is: what of a large buffer was never used stays clean. */
void sm_sweep_clear(void *p, size_t size);

#endif
