/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRELOAD_EXPORTS_MLOCK_SECURE_HEAP_H
#define PRELOAD_EXPORTS_MLOCK_SECURE_HEAP_H

#include <stddef.h>

/*
 * Returns 0 if the range is the whole of one private anonymous read-write mapping, between two
 * mappings without access, with the contents of a new secure heap of OpenSSL. Returns -EINVAL
 * if the range is anything else, another negative errno value if /proc/self/maps cannot be
 * read.
 */
int guarded_heap(const void *address, size_t length);

#endif
