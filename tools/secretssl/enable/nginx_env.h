/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of nginx's own configuration by which a binary upgrade (USR2) keeps the protection:
 * nginx passes no variable on to the program that replaces it, unless a line names it.
 */
#ifndef SECRETSSL_ENABLE_NGINX_ENV_H
#define SECRETSSL_ENABLE_NGINX_ENV_H

#include <limits.h>
#include <stdbool.h>

#include "enable/open.h"

struct nginx_env {
    char path[PATH_MAX]; /* of the file with the lines; "" if none is needed, or possible */
    bool there;          /* the file was there already */
    bool made;           /* nginx_env_write() made it */
};

extern const char nginx_env_text[];

/*
 * Finds out whether the unit's program is an nginx that needs the file, and whether its
 * configuration includes files where there is place for one. Where it needs the lines and there
 * is no place, a note names them.
 */
void nginx_env_find(const struct opened *opened, const char *program, struct nginx_env *env);

/* Makes the file, unless it is there. Returns false after a message. */
bool nginx_env_write(const char *command, struct nginx_env *env);

/* Removes the file if nginx_env_write() made it. Returns false after a message. */
bool nginx_env_undo(const char *command, struct nginx_env *env);

/*
 * Removes the file that `enable` made for a unit, if there is one; env is for
 * nginx_env_write(), which makes it again. Returns false after a message.
 */
bool nginx_env_remove(const char *command, const char *unit, struct nginx_env *env);

#endif
