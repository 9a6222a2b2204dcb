/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that a helper loads, most of them beside it. What fails ends the program. */
#ifndef LIBRARY_H
#define LIBRARY_H

#define LIBCRYPTO "libcrypto.so.3"

typedef void *open_fn(const char *, int);

/* A file beside the program, until the next call. */
const char *beside(const char *name);

void *opened(const char *file, int mode);
void *symbol(void *handle, const char *name);

#endif
