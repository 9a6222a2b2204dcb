/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRELOAD_EXPORTS_MLOCK_H
#define PRELOAD_EXPORTS_MLOCK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Puts secret pages under memory that code at caller wants locked, if the code is a libcrypto's
 * and the memory its new secure heap. Returns false if the kernel must lock the memory.
 */
bool memlock_take(const void *caller, const void *address, size_t length);

#endif
