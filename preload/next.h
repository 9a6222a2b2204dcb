/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that ours stand in front of. */
#ifndef PRELOAD_NEXT_H
#define PRELOAD_NEXT_H

/*
 * The next definition after ours, looked up once: cache is the caller's. Does not return NULL
 * for what the C library has.
 */
void *next_function(void **cache, const char *name);

/* The next dlsym. */
typedef void *dlsym_function(void *handle, const char *name);
dlsym_function *next_dlsym(void);

#endif
