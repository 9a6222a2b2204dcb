/* SPDX-License-Identifier: Apache-2.0 */
/* Where the dynamic linker would look for a library on behalf of another object. */
#ifndef PRELOAD_LOADER_LIBRARY_PATH_H
#define PRELOAD_LOADER_LIBRARY_PATH_H

#include <limits.h>
#include <stdbool.h>

enum search {
    SEARCH_SAME,   /* the linker finds the same for us as for the caller */
    SEARCH_NAME,   /* so it does, if it finds anything */
    SEARCH_PATH,   /* what the caller is to get is at the path */
    SEARCH_CALLER, /* that is for the linker to say, and only if the caller asks itself */
};

/*
 * How to open file, as code at caller gave it to dlopen(): by RPATH, RUNPATH and $ORIGIN of
 * that object. here: it is for our own name space, where the linker takes what is loaded
 * under that name. May allocate. Keeps errno.
 */
enum search search_for_caller(const char *file, const void *caller, bool here,
                              char path[PATH_MAX]);

#endif
