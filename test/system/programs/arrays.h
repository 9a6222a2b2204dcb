/* SPDX-License-Identifier: Apache-2.0 */
/* What libcrypto exports since 3.4 and 3.6: the tests' headers may be older. */
#ifndef SYSTEM_TEST_ARRAYS_H
#define SYSTEM_TEST_ARRAYS_H

#include <stddef.h>

typedef void *aligned_fn(size_t, size_t, void **, const char *, int);
typedef void *aligned_array_fn(size_t, size_t, size_t, void **, const char *, int);
typedef void *array_fn(size_t, size_t, const char *, int);
typedef void *realloc_array_fn(void *, size_t, size_t, const char *, int);
typedef void *clear_realloc_array_fn(void *, size_t, size_t, size_t, const char *, int);

aligned_fn CRYPTO_aligned_alloc;
aligned_array_fn CRYPTO_aligned_alloc_array;
array_fn CRYPTO_calloc, CRYPTO_malloc_array, CRYPTO_secure_calloc, CRYPTO_secure_malloc_array;
realloc_array_fn CRYPTO_realloc_array;
clear_realloc_array_fn CRYPTO_clear_realloc_array;

#endif
