/* SPDX-License-Identifier: Apache-2.0 */
/* A small allocator over pages.c, for the tool's keys and for all of libcrypto. */
#ifndef SECRETSSL_SECRET_HEAP_H
#define SECRETSSL_SECRET_HEAP_H

#include <stddef.h>

/* Zeroed, 16-byte aligned; NULL for 0 bytes or without memory. Not for several threads. */
void *secret_alloc(size_t size);

/* Clears and takes back; NULL is let be. */
void secret_free(void *pointer);

/* Makes libcrypto allocate here. False if it has allocated before. */
int secret_heap_serve_libcrypto(void);

#endif
