/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the program that a command starts, and whether the dynamic linker preloads objects into
 * the program.
 */
#ifndef SECRETSSL_RUN_TARGET_H
#define SECRETSSL_RUN_TARGET_H

#include <limits.h>
#include <stdbool.h>

struct target {
    char file[PATH_MAX]; /* the program; for a script, the interpreter */
    const char *why_not; /* the reason against protection; NULL: none found */
};

/*
 * Looks the command up as execvp(3) does, and reads its file. preload: an object for the
 * machine that protected programs must be for. Returns false if there is no such program or
 * none that may be executed; execvp(3) then reports the error.
 */
bool target_look(const char *command, const char *preload, struct target *target);

/* Returns true if the file exists; searches PATH if the name has no slash. */
bool target_exists(const char *command);

#endif
