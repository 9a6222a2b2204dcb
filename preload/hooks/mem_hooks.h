/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory functions that the preload installs in OpenSSL. Zero sizes, NULL and foreign
 * pointers give the results of OpenSSL's default functions. Thread-safe; not async-signal-safe.
 */
#ifndef PRELOAD_HOOKS_MEM_HOOKS_H
#define PRELOAD_HOOKS_MEM_HOOKS_H

#include <stddef.h>

typedef void *crypto_malloc(size_t size, const char *file, int line);
typedef void *crypto_realloc(void *p, size_t size, const char *file, int line);
typedef void crypto_free(void *p, const char *file, int line);

struct mem_hooks {
    crypto_malloc *malloc;
    crypto_realloc *realloc;
    crypto_free *free;
};

/* size is in bytes. Returns NULL for size 0 and when there is no memory. */
void *hook_malloc(size_t size, const char *file, int line);
void *hook_realloc(void *p, size_t size, const char *file, int line);
void hook_free(void *p, const char *file, int line);

#endif
