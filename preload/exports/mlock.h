/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRELOAD_EXPORTS_MLOCK_H
#define PRELOAD_EXPORTS_MLOCK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Memory that code at caller wants locked: if that is a libcrypto, secret pages are put under
 * it, and true is the answer. False: the kernel is to lock it.
 */
bool memlock_take(const void *caller, const void *address, size_t length);

#endif
