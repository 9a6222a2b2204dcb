/* SPDX-License-Identifier: Apache-2.0 */
/* Where libsecretssl.so is. */
#ifndef SECRETSSL_CLI_PRELOAD_PATH_H
#define SECRETSSL_CLI_PRELOAD_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define PRELOAD "libsecretssl.so"

enum { PRELOAD_PATH_ROOM = 2 * PATH_MAX + 256 };

/*
 * Seen from the tool, the object lies in ../lib in the build tree, and in the libdir where both
 * were installed, below whatever prefix; otherwise it is where the build was configured to
 * install it. If it is nowhere, the answer is false, and path is the list of those places.
 */
bool preload_find(char path[PRELOAD_PATH_ROOM]);

/*
 * What LD_PRELOAD is to be: the object's path, before what the variable holds already. NULL
 * without memory. The caller frees it.
 */
char *preload_list(const char *path);

#endif
