/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate through which every thread enters the allocator, and which a fork closes.
 * thread_cache.c knows the threads, so it closes the gate and checks that all threads have
 * left. See docs/fork.md.
 */
#ifndef SM_HEAP_GATE_H
#define SM_HEAP_GATE_H

#include "base/common.h"

/* 1 while a fork has closed the gate: threads wait outside. */
extern SM_LOCAL volatile uint32_t sm_gate;

/* Whether the gate is closed for this thread. The thread that has closed the gate passes. */
bool sm_gate_is_closed(void);

/*
 * Waits until the gate is open for this thread, or does the work that keeps it closed: see
 * sm_gate_work.
 */
void sm_gate_wait(void);

/*
 * Set by a child of fork that has left its gate closed, until somebody enters the allocator:
 * what then has to be done, and opens the gate. Several threads may call it. NULL: nothing.
 */
extern SM_LOCAL void (*sm_gate_work)(void);

/* Sleeps for as long as another thread's malloc may take: 20 us. */
void sm_gate_doze(void);

/*
 * Waits until a counter of the threads inside is 0. Returns false if this took too many dozes.
 */
bool sm_gate_wait_for(const volatile uint32_t *inside, unsigned *dozes);

void sm_gate_open(void);

#endif
