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

void *CRYPTO_malloc(size_t size, const char *file, int line);
void *CRYPTO_zalloc(size_t size, const char *file, int line);
void *CRYPTO_realloc(void *p, size_t size, const char *file, int line);
void *CRYPTO_clear_realloc(void *p, size_t old, size_t size, const char *file, int line);
void CRYPTO_free(void *p, const char *file, int line);
void CRYPTO_clear_free(void *p, size_t size, const char *file, int line);
void *CRYPTO_memdup(const void *from, size_t size, const char *file, int line);
char *CRYPTO_strdup(const char *from, const char *file, int line);
char *CRYPTO_strndup(const char *from, size_t most, const char *file, int line);
int CRYPTO_set_mem_functions(crypto_malloc *m, crypto_realloc *r, crypto_free *f);
void CRYPTO_get_mem_functions(crypto_malloc **m, crypto_realloc **r, crypto_free **f);
void *CRYPTO_aligned_alloc(size_t size, size_t align, void **free_this, const char *file,
                           int line);
void *CRYPTO_aligned_alloc_array(size_t number, size_t size, size_t align, void **free_this,
                                 const char *file, int line);
void *CRYPTO_calloc(size_t number, size_t size, const char *file, int line);
void *CRYPTO_malloc_array(size_t number, size_t size, const char *file, int line);
void *CRYPTO_realloc_array(void *p, size_t number, size_t size, const char *file, int line);
void *CRYPTO_clear_realloc_array(void *p, size_t old, size_t number, size_t size,
                                 const char *file, int line);
void OPENSSL_cleanse(void *p, size_t size);

int CRYPTO_secure_malloc_init(size_t size, size_t least);
int CRYPTO_secure_malloc_done(void);
int CRYPTO_secure_malloc_initialized(void);
void *CRYPTO_secure_malloc(size_t size, const char *file, int line);
void *CRYPTO_secure_zalloc(size_t size, const char *file, int line);
void *CRYPTO_secure_calloc(size_t number, size_t size, const char *file, int line);
void *CRYPTO_secure_malloc_array(size_t number, size_t size, const char *file, int line);
void CRYPTO_secure_free(void *p, const char *file, int line);
void CRYPTO_secure_clear_free(void *p, size_t size, const char *file, int line);
int CRYPTO_secure_allocated(const void *p);
size_t CRYPTO_secure_actual_size(void *p);
size_t CRYPTO_secure_used(void);

#endif
