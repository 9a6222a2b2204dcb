/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that are loaded on demand of a setting or a report. */
#ifndef SM_STACKTRACE_LOAD_LIBRARY_H
#define SM_STACKTRACE_LOAD_LIBRARY_H

#include <stdbool.h>

/* Called at start. Remembers which directory is the root. */
void sm_library_init(void);

/*
 * Whether the process has another root by now. Libraries there may belong to any user, and
 * would run with access to the secrets.
 */
bool sm_library_other_root(void);

/*
 * As dlopen(3). Also returns NULL with another root, and where a seccomp filter may end the
 * process for opening the library.
 */
void *sm_library_open(const char *name);

/* As dlsym(3), into a pointer to a function. Returns false if there is no such function. */
bool sm_library_function(void *library, const char *name, void *function);

#endif
