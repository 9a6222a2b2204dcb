/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory functions for crypto libraries other than libcrypto, in the form of the C library's.
 * All of their memory is zeroed when it is freed, whatever the settings say. Blocks that the
 * library has from the C library may be given to them. Thread-safe, not async-signal-safe.
 */
#ifndef PRELOAD_HOOKS_TOOLKIT_HOOKS_H
#define PRELOAD_HOOKS_TOOLKIT_HOOKS_H

#include <stddef.h>

/* Return a block, also for size 0, or NULL with errno set. */
void *toolkit_malloc(size_t size);

/* For key bytes only, and recognised by toolkit_is_secure(). */
void *toolkit_secure_malloc(size_t size);
int toolkit_is_secure(const void *p);

/* A block stays secure or not. p may be NULL; size is not 0. */
void *toolkit_realloc(void *p, size_t size);
void toolkit_free(void *p);

#endif
