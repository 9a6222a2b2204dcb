/* SPDX-License-Identifier: Apache-2.0 */
/* What `enable`, `disable` and `status` do first, and how they end. */
#ifndef SECRETSSL_ENABLE_OPEN_H
#define SECRETSSL_ENABLE_OPEN_H

#include <limits.h>
#include <stdbool.h>

#include "enable/drop_in.h"
#include "enable/unit.h"
#include "enable/unit_name.h"

enum {
    UNIT_DONE = 0,    /* it is as was asked for */
    UNIT_NOT = 1,     /* it is not, and everything is as before */
    UNIT_USAGE = 2,   /* wrong arguments, no rights, no such unit, no systemd */
    UNIT_CHANGED = 3, /* it is not, and something is not as before */
};

struct opened {
    char name[UNIT_NAME_ROOM]; /* of an alias, the unit's own name */
    struct unit unit;
    char path[PATH_MAX]; /* of the drop-in */
    enum drop_in_owner owner;
    char *before; /* the drop-in's text; NULL unless it is of this program */
};

/*
 * Finds the unit. changes: the command will change it, for which it must be root. Returns false
 * after a message. The caller calls opened_free() in every case.
 */
bool unit_open(const char *command, const char *text, bool changes, struct opened *opened);
void opened_free(struct opened *opened);

/* Takes the one argument that a command has, the unit. Returns an error number after a message.
 */
int unit_argument(const char *command, const char *argument, const char **unit);

/* Says that a command has no such argument. Returns an error number. */
int unit_missing(const char *command);

/* Reads the unit's properties again. Returns false after a message. */
bool unit_again(const char *command, struct opened *opened);

/* Returns false, after a message, if there is no such unit. */
bool unit_exists(const char *command, const struct opened *opened);

/* For drop-ins that are not of this program or cannot be read: prints a message. */
bool drop_in_usable(const char *command, const struct opened *opened);

#endif
