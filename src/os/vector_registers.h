/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector registers keep the data that memcpy and the ciphers last moved through them, for hours
 * if no other code uses these registers. Every delivered signal writes the registers to the
 * stack, which is ordinary memory. So the registers are cleared after a key was read and when
 * key bytes are freed. The calling convention lets any function clear them.
 */
#ifndef SM_OS_VECTOR_REGISTERS_H
#define SM_OS_VECTOR_REGISTERS_H

#include "base/common.h"

/* Finds out which registers there are. Called once, at start. */
void sm_vector_registers_init(void);

/* Clears every vector register that a function may clear. Takes some nanoseconds. */
void sm_clear_vector_registers(void);

#endif
