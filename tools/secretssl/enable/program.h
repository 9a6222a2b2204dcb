/* SPDX-License-Identifier: Apache-2.0 */
/* The main program of a unit. */
#ifndef SECRETSSL_ENABLE_PROGRAM_H
#define SECRETSSL_ENABLE_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#include "enable/open.h"

/*
 * Finds the unit's program: that of its main process, or of ExecStart=. Returns false if there
 * is none.
 */
bool program_of_unit(const struct unit *unit, char program[PATH_MAX]);

/*
 * Returns true if the dynamic linker preloads objects into the program when the unit starts it;
 * otherwise prints the reason. A script that starts the program is only noted, because its
 * interpreter passes the environment on.
 */
bool program_is_protectable(const struct opened *opened, const char *object,
                            const char *program);

#endif
