/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of libcrypto that the preload exports in its place, declared as in libcrypto's
 * headers: see crypto(7) and docs/coverage.md. Thread-safe, not async-signal-safe, as in
 * libcrypto.
 */
#ifndef PRELOAD_EXPORTS_CRYPTO_API_H
#define PRELOAD_EXPORTS_CRYPTO_API_H

#include "hooks/mem_hooks.h"
#include <stddef.h>

/* entry(type, name, arguments): dlsym() gives these functions too (dlsym.c). */
/* clang-format off */
#define CRYPTO_FUNCTIONS(entry) \
    entry(void *, CRYPTO_malloc, (size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_zalloc, (size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_realloc, (void *p, size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_clear_realloc, (void *p, size_t old, size_t size, const char *file, int line)) \
    entry(void, CRYPTO_free, (void *p, const char *file, int line)) \
    entry(void, CRYPTO_clear_free, (void *p, size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_memdup, (const void *from, size_t size, const char *file, int line)) \
    entry(char *, CRYPTO_strdup, (const char *from, const char *file, int line)) \
    entry(char *, CRYPTO_strndup, (const char *from, size_t most, const char *file, int line)) \
    entry(int, CRYPTO_set_mem_functions, (crypto_malloc *m, crypto_realloc *r, crypto_free *f)) \
    entry(void, CRYPTO_get_mem_functions, (crypto_malloc **m, crypto_realloc **r, crypto_free **f)) \
    entry(void *, CRYPTO_aligned_alloc, \
          (size_t size, size_t align, void **free_this, const char *file, int line)) \
    entry(void *, CRYPTO_aligned_alloc_array, \
          (size_t number, size_t size, size_t align, void **free_this, const char *file, int line)) \
    entry(void *, CRYPTO_calloc, (size_t number, size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_malloc_array, (size_t number, size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_realloc_array, \
          (void *p, size_t number, size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_clear_realloc_array, \
          (void *p, size_t old, size_t number, size_t size, const char *file, int line)) \
    entry(int, CRYPTO_secure_malloc_init, (size_t size, size_t least)) \
    entry(int, CRYPTO_secure_malloc_done, (void)) \
    entry(int, CRYPTO_secure_malloc_initialized, (void)) \
    entry(void *, CRYPTO_secure_malloc, (size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_secure_zalloc, (size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_secure_calloc, (size_t number, size_t size, const char *file, int line)) \
    entry(void *, CRYPTO_secure_malloc_array, (size_t number, size_t size, const char *file, int line)) \
    entry(void, CRYPTO_secure_free, (void *p, const char *file, int line)) \
    entry(void, CRYPTO_secure_clear_free, (void *p, size_t size, const char *file, int line)) \
    entry(int, CRYPTO_secure_allocated, (const void *p)) \
    entry(size_t, CRYPTO_secure_actual_size, (void *p)) \
    entry(size_t, CRYPTO_secure_used, (void))
/* clang-format on */

/* NOLINTNEXTLINE(bugprone-macro-parentheses): a type and arguments cannot have any */
#define CRYPTO_DECLARE(type, name, arguments) type name arguments;
CRYPTO_FUNCTIONS(CRYPTO_DECLARE)

void OPENSSL_cleanse(void *p, size_t size);

/* The functions that BoringSSL and AWS-LC look for */
void *OPENSSL_memory_alloc(size_t size);
void OPENSSL_memory_free(void *p);
size_t OPENSSL_memory_get_size(void *p);
void *OPENSSL_memory_realloc(void *p, size_t size);

/* As CRYPTO_malloc() for a caller whose libcrypto is served. */
void *crypto_take(size_t size, const char *file, int line);

#endif
