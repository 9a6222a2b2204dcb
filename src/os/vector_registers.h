/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector registers keep what memcpy and the ciphers last moved through them, for hours if
 * nobody needs them: and every signal that is delivered writes them to the stack, in
 * ordinary memory. After a key was read, and when key bytes are freed, they are cleared.
 * The calling convention lets any function clear them.
 */
#ifndef SM_OS_VECTOR_REGISTERS_H
#define SM_OS_VECTOR_REGISTERS_H

#include "base/common.h"

/* Finds out which registers there are. Once, at start. */
void sm_vector_registers_init(void);

/* Clears every vector register that a function may clear. Some nanoseconds. */
void sm_clear_vector_registers(void);

#endif
