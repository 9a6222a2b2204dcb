/* SPDX-License-Identifier: Apache-2.0 */
/* A small allocator over pages.c, for the tool's keys and for all of libcrypto. */
#ifndef SECRETSSL_SECRET_HEAP_H
#define SECRETSSL_SECRET_HEAP_H

#include <stddef.h>

/*
 * Returns zeroed memory, aligned to 16 bytes, or NULL for 0 bytes or if out of memory. Not
 * thread-safe.
 */
void *secret_alloc(size_t size);

/* Clears and frees the memory. NULL is ignored. */
void secret_free(void *pointer);

/* Makes libcrypto use this allocator. Returns 0 if libcrypto has allocated before. */
int secret_heap_serve_libcrypto(void);

#endif
