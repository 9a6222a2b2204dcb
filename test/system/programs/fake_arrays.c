/* SPDX-License-Identifier: Apache-2.0 */
/* What a libcrypto of 3.6 has besides, over its own allocation functions. No secure heap. */
#include "arrays.h"
#include "library.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

malloc_fn CRYPTO_malloc;
realloc_fn CRYPTO_realloc;

void *CRYPTO_aligned_alloc(size_t size, size_t align, void **free_this, const char *file,
                           int line)
{
    (void)file, (void)line;
    *free_this = NULL;
    if (align == 0 || (align & (align - 1)) != 0)
        return NULL;
    if (posix_memalign(free_this, align < sizeof(void *) ? sizeof(void *) : align, size) != 0)
        *free_this = NULL;
    return *free_this;
}

void *CRYPTO_malloc_array(size_t number, size_t size, const char *file, int line)
{
    size_t bytes;

    return __builtin_mul_overflow(number, size, &bytes) ? NULL
                                                        : CRYPTO_malloc(bytes, file, line);
}

void *CRYPTO_calloc(size_t number, size_t size, const char *file, int line)
{
    void *p = CRYPTO_malloc_array(number, size, file, line);

    return p ? memset(p, 0, number * size) : NULL;
}

void *CRYPTO_aligned_alloc_array(size_t number, size_t size, size_t align, void **free_this,
                                 const char *file, int line)
{
    size_t bytes;

    *free_this = NULL;
    return __builtin_mul_overflow(number, size, &bytes)
               ? NULL
               : CRYPTO_aligned_alloc(bytes, align, free_this, file, line);
}

void *CRYPTO_realloc_array(void *p, size_t number, size_t size, const char *file, int line)
{
    size_t bytes;

    return __builtin_mul_overflow(number, size, &bytes) ? NULL
                                                        : CRYPTO_realloc(p, bytes, file, line);
}

void *CRYPTO_clear_realloc_array(void *p, size_t old, size_t number, size_t size,
                                 const char *file, int line)
{
    (void)old;
    return CRYPTO_realloc_array(p, number, size, file, line);
}

void *CRYPTO_secure_malloc_array(size_t number, size_t size, const char *file, int line)
{
    return CRYPTO_malloc_array(number, size, file, line);
}

void *CRYPTO_secure_calloc(size_t number, size_t size, const char *file, int line)
{
    return CRYPTO_calloc(number, size, file, line);
}
