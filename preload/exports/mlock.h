/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRELOAD_EXPORTS_MLOCK_H
#define PRELOAD_EXPORTS_MLOCK_H

#include <stddef.h>

/*
 * Puts secret pages under memory that code at caller wants locked, if it is the new secure heap
 * of a libcrypto, or memory that is meant (mlock_rule.h). stack: an address in the caller's
 * stack. Returns MEMLOCK_TAKEN, MEMLOCK_LEFT if the kernel must lock the memory, or a negative
 * errno value if the kernel must because there is no secret memory.
 */
enum { MEMLOCK_LEFT, MEMLOCK_TAKEN };
int memlock_take(const void *caller, const void *address, size_t length, const void *stack);

/*
 * Called with the result of the kernel's lock, 0 or -1, when memlock_take() returned an error,
 * or MEMLOCK_LEFT. Reports memory that is only locked. Returns the result.
 */
int memlock_left(int error, size_t length, int result);

#endif
