/* SPDX-License-Identifier: Apache-2.0 */
/* Where the dynamic linker would look for a library on behalf of another object. */
#ifndef PRELOAD_SEARCH_H
#define PRELOAD_SEARCH_H

#include <limits.h>
#include <stdbool.h>

/*
 * file, as code at caller gave it to dlopen(), found where only that object looks (RPATH,
 * RUNPATH, $ORIGIN): its path is put into path, and true is the answer. False: whoever asks
 * gets the same. here: it is for our own name space, where the linker takes what is loaded
 * under that name. May allocate.
 */
bool search_for_caller(const char *file, const void *caller, bool here, char path[PATH_MAX]);

#endif
