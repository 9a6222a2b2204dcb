/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OpenSSL calls instead of its own allocation. Zero sizes, NULL and foreign pointers
 * are answered as OpenSSL's defaults answer them. Thread-safe; not async-signal-safe.
 */
#ifndef PRELOAD_HOOKS_MEM_HOOKS_H
#define PRELOAD_HOOKS_MEM_HOOKS_H

#include <stddef.h>

typedef void *crypto_malloc(size_t size, const char *file, int line);
typedef void *crypto_realloc(void *p, size_t size, const char *file, int line);
typedef void crypto_free(void *p, const char *file, int line);

/* size in bytes; NULL for 0 or when there is no memory */
void *hook_malloc(size_t size, const char *file, int line);
void *hook_realloc(void *p, size_t size, const char *file, int line);
void hook_free(void *p, const char *file, int line);

#endif
