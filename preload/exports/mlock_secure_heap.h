/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRELOAD_EXPORTS_MLOCK_SECURE_HEAP_H
#define PRELOAD_EXPORTS_MLOCK_SECURE_HEAP_H

#include <stddef.h>

/*
 * Whether a range is all of one private anonymous mapping, to be read and written, between two
 * without access, with what OpenSSL's secure heap has in it when it is new. 0: it is; -EINVAL:
 * it is not; another negative errno value: /proc/self/maps cannot be read.
 */
int guarded_heap(const void *address, size_t length);

#endif
