/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that are loaded when a setting or a report asks for them. */
#ifndef SM_STACKTRACE_LOAD_LIBRARY_H
#define SM_STACKTRACE_LOAD_LIBRARY_H

#include <stdbool.h>

/* At start: remembers which directory is the root. */
void sm_library_init(void);

/*
 * Whether the process has another root by now: what lies there may be anybody's, and would be
 * run with the secrets at hand.
 */
bool sm_library_other_root(void);

/*
 * As dlopen(3), by its name. NULL also with another root, and where a seccomp filter may end
 * the process for opening it.
 */
void *sm_library_open(const char *name);

/* As dlsym(3), into a pointer to a function. False: there is none. */
bool sm_library_function(void *library, const char *name, void *function);

#endif
