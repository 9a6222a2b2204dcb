/* SPDX-License-Identifier: Apache-2.0 */
/* A unit as `systemctl show` describes it. */
#ifndef SECRETSSL_ENABLE_UNIT_H
#define SECRETSSL_ENABLE_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct unit {
    char *text; /* the output, cut into names and values */
    struct property {
        const char *name, *value;
    } *list;
    size_t count;
};

/* Reads the unit's properties. Returns false after a message. The caller frees the unit. */
bool unit_read(const char *command, const char *name, struct unit *unit);
void unit_free(struct unit *unit);

/* For tests and unit_read(): takes the output of `systemctl show`. */
bool unit_parse(char *text, struct unit *unit);

/* Returns the value of the property, "" if the unit has none of this name. */
const char *unit_get(const struct unit *unit, const char *name);
bool unit_is(const struct unit *unit, const char *name, const char *value);

/* Returns the next value of a property that may occur several times, from *at on, or NULL. */
const char *unit_next(const struct unit *unit, const char *name, size_t *at);

/* Returns true if the service runs, or starts. */
bool unit_is_active(const struct unit *unit);

/* Returns the process ID of the main process, 0 if there is none. */
pid_t unit_main_pid(const struct unit *unit);

/* Returns the path of the first program of ExecStart=, or NULL. The caller frees the string. */
char *unit_program(const struct unit *unit);

/*
 * Returns true if the list of assignments, quoted as systemctl quotes it, sets the variable.
 * *value becomes the value, or NULL if memory runs out; the caller frees it.
 */
bool unit_assigns(const char *list, const char *variable, char **value);

/* Returns true if one of the words between blanks is the word. */
bool unit_list_has(const char *list, const char *word);

#endif
