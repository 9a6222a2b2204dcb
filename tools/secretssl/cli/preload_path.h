/* SPDX-License-Identifier: Apache-2.0 */
/* Finds libsecretssl.so. */
#ifndef SECRETSSL_CLI_PRELOAD_PATH_H
#define SECRETSSL_CLI_PRELOAD_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define PRELOAD "libsecretssl.so"

enum { PRELOAD_PATH_ROOM = 2 * PATH_MAX + 256 };

/*
 * Finds the preload object. Relative to the tool, the object is in ../lib in the build tree,
 * and in the libdir where both were installed, below any prefix. Otherwise the object is in the
 * libdir that the build was configured with. Returns false if the object is in none of these
 * places; path is then the list of the places.
 */
bool preload_find(char path[PRELOAD_PATH_ROOM]);

/*
 * Returns the new value of LD_PRELOAD: the object's path, followed by the variable's present
 * value. Returns NULL if out of memory. The caller frees the string.
 */
char *preload_list(const char *path);

#endif
