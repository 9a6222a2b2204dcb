/* SPDX-License-Identifier: Apache-2.0 */
/* The program that a command starts, and whether the dynamic linker preloads into it. */
#ifndef SECRETSSL_RUN_TARGET_H
#define SECRETSSL_RUN_TARGET_H

#include <limits.h>
#include <stdbool.h>

struct target {
    char file[PATH_MAX]; /* the program: of a script its interpreter */
    const char *why_not; /* what keeps it from being protected; NULL: nothing that is seen */
};

/*
 * Looks the command up as execvp(3) does, and into its file. preload: an object of the machine
 * that protected programs are for. False if there is no such program, or none that may be
 * executed: execvp(3) will say so.
 */
bool target_look(const char *command, const char *preload, struct target *target);

/* Is there a file of that name, in PATH if it has no slash? */
bool target_exists(const char *command);

#endif
