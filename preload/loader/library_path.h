/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where the dynamic linker would look for a library on behalf of another object. */
#ifndef PRELOAD_LOADER_LIBRARY_PATH_H
#define PRELOAD_LOADER_LIBRARY_PATH_H

#include <limits.h>
#include <stdbool.h>

enum search {
    SEARCH_SAME,   /* the linker finds the same file for the preload and the caller */
    SEARCH_NAME,   /* as SEARCH_SAME, if the linker finds any file */
    SEARCH_PATH,   /* path holds the file for the caller */
    SEARCH_CALLER, /* only the linker can tell, in a call from the caller itself */
};

/*
 * Returns how to open file, as code at caller gave it to dlopen(): by RPATH, RUNPATH and
 * $ORIGIN of the caller's object. here: the file is for the preload's own namespace, where the
 * linker returns an object already loaded under that name. May allocate. Keeps errno.
 */
enum search search_for_caller(const char *file, const void *caller, bool here,
                              char path[PATH_MAX]);

#endif
