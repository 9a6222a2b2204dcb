/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate through which every thread enters the allocator, and which a fork closes. Who closes
 * it and looks whether all have left is thread_cache.c, which knows the threads. See
 * docs/fork.md.
 */
#ifndef SM_HEAP_GATE_H
#define SM_HEAP_GATE_H

#include "base/common.h"

/* Fork closes it; 1: wait outside. */
extern SM_LOCAL volatile uint32_t sm_gate;

/* Whether the gate stands in this thread's way. The thread that has closed it passes. */
bool sm_gate_is_closed(void);

/* Waits until it is open for this thread. */
void sm_gate_wait(void);

/* For as long as another thread's malloc may take: 20 us. */
void sm_gate_doze(void);

/* Waits until a counter of those inside is 0; false: it took too many dozes. */
bool sm_gate_wait_for(const volatile uint32_t *inside, unsigned *dozes);

void sm_gate_open(void);

#endif
