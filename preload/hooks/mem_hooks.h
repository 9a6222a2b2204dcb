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

/*
 * OpenSSL's contract over the arena and the C library of a namespace (heap/fallback.h), for
 * which the functions below and those of namespace_hooks.h stand.
 */
struct sm_c_library;
void *mem_take(const struct sm_c_library *library, size_t size, const char *file);
void *mem_retake(const struct sm_c_library *library, void *p, size_t size, const char *file);
void mem_give(const struct sm_c_library *library, void *p);

/* size is in bytes. Returns NULL for size 0 and when there is no memory. */
void *hook_malloc(size_t size, const char *file, int line);
void *hook_realloc(void *p, size_t size, const char *file, int line);
void hook_free(void *p, const char *file, int line);

#endif
