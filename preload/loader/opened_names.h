/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names by which libraries were opened. The linker returns a loaded library for each name
 * that it was opened by before. For a library that the preload found (library_path.c) the
 * linker knows the path only.
 */
#ifndef PRELOAD_LOADER_OPENED_NAMES_H
#define PRELOAD_LOADER_OPENED_NAMES_H

#include <limits.h>
#include <stdbool.h>

/* Notes that name opened handle, in the preload's own namespace. May allocate. */
void names_remember(const char *name, const void *handle);

/*
 * Copies the path of a library opened by this name. Returns false if no such library is still
 * loaded.
 */
bool names_recall(const char *name, char path[PATH_MAX]);

#endif
