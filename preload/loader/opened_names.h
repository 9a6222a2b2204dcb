/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names by which libraries were opened. The linker gives a library that is there to whoever
 * asks for it by a name that it was opened by before; of one that was found here
 * (library_path.c) it knows the path only.
 */
#ifndef PRELOAD_LOADER_OPENED_NAMES_H
#define PRELOAD_LOADER_OPENED_NAMES_H

#include <limits.h>
#include <stdbool.h>

/* A handle of our own name space was opened by this name. May allocate. */
void names_remember(const char *name, const void *handle);

/* The path of a library that was opened by this name, and is there still. */
bool names_recall(const char *name, char path[PATH_MAX]);

#endif
