/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that a helper loads, most of them beside it. What fails ends the program. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stddef.h>

#define LIBCRYPTO "libcrypto.so.3"

typedef void *open_fn(const char *, int);
typedef void *malloc_fn(size_t, const char *, int);
typedef void *realloc_fn(void *, size_t, const char *, int);
typedef void free_fn(void *, const char *, int);
typedef int set_fn(malloc_fn *, realloc_fn *, free_fn *);
typedef void get_fn(malloc_fn **, realloc_fn **, free_fn **);

/* A file beside the program, until the next call. */
const char *beside(const char *name);

void *opened(const char *file, int mode);
void *symbol(void *handle, const char *name);

/* What the library takes for itself, and what others take from it by name. */
void check_library(void *handle, const char *what);

#endif
