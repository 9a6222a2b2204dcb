/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the program that a command starts, and whether the dynamic linker preloads objects into
 * the program.
 */
#ifndef SECRETSSL_PROCESS_TARGET_H
#define SECRETSSL_PROCESS_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* The user that executes a program, from which the kernel derives AT_SECURE. */
struct target_user {
    uid_t uid;
    gid_t gid;
    bool no_new_privileges; /* the kernel ignores set-id bits */
};

struct target {
    char file[PATH_MAX]; /* the program; for a script, the interpreter */
    bool script;         /* the command is a script */
    const char *why_not; /* the reason against protection; NULL: none found */
};

/* Returns the user of this process. */
struct target_user target_own_user(void);

/*
 * Looks the command up as execvp(3) does, and reads its file. preload: an object for the
 * machine that protected programs must be for. Returns false if there is no such program or
 * none that may be executed; execvp(3) then reports the error.
 */
bool target_look(const char *command, const char *preload, const struct target_user *user,
                 struct target *target);

/* Returns true if the file exists; searches PATH if the name has no slash. */
bool target_exists(const char *command);

#endif
