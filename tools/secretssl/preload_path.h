/* SPDX-License-Identifier: Apache-2.0 */
/* Where libsecretssl.so is. */
#ifndef SECRETSSL_TOOL_PRELOAD_PATH_H
#define SECRETSSL_TOOL_PRELOAD_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define PRELOAD "libsecretssl.so"

enum { PRELOAD_PATH_ROOM = PATH_MAX + 32 };

/*
 * In the build tree it lies in ../lib, seen from the tool; installed, in the libdir that the
 * build was configured with, which need not be ../lib. Where neither has it, path is where it
 * was looked for first, and the answer is false.
 */
bool preload_find(char path[PRELOAD_PATH_ROOM]);

/*
 * What LD_PRELOAD is to be: the object's path, before what the variable holds already. NULL
 * without memory. The caller frees it.
 */
char *preload_list(const char *path);

#endif
