/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of nginx's own configuration by which a binary upgrade (USR2) keeps the protection:
 * nginx passes no variable on to the program that replaces it, unless a line names it. They are
 * in a file of their own for each unit, and nginx itself must say that it reads this file.
 */
#ifndef SECRETSSL_ENABLE_NGINX_ENV_H
#define SECRETSSL_ENABLE_NGINX_ENV_H

#include <limits.h>
#include <stdbool.h>

#include "enable/open.h"

struct nginx_env {
    char path[PATH_MAX];    /* of the file; "" if there is none to write */
    char program[PATH_MAX]; /* the nginx that reads it */
    const char *unit;       /* the unit's name */
    bool there;             /* the file was there already, with these lines */
    bool made;              /* nginx_env_write() made it */
};

extern const char nginx_env_text[];

/*
 * Finds out whether the unit's program is nginx and there is a place for the file. Where there
 * is none, a note names the lines. Starts no program.
 */
void nginx_env_find(const struct opened *opened, const char *program, struct nginx_env *env);

/*
 * Makes the file, unless it is there, and asks nginx whether it reads the lines. If it does
 * not, or the file cannot be written, a note names the lines, and there is no file.
 */
void nginx_env_write(struct nginx_env *env);

/* Removes the file if nginx_env_write() made it. Returns false after a message. */
bool nginx_env_undo(struct nginx_env *env);

/*
 * Removes the file that `enable` made for a unit, if there is one; env is for
 * nginx_env_put_back(). Returns false after a message.
 */
bool nginx_env_remove(const char *unit, struct nginx_env *env);

/* Makes the file again that nginx_env_remove() removed. Returns false after a message. */
bool nginx_env_put_back(const struct nginx_env *env);

#endif
