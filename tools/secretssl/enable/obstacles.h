/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a unit from being protected. */
#ifndef SECRETSSL_ENABLE_OBSTACLES_H
#define SECRETSSL_ENABLE_OBSTACLES_H

#include <stdbool.h>

#include "enable/open.h"
#include "enable/processes.h"

/*
 * Returns true if the unit can be given the preload object, as far as can be known before its
 * start; otherwise prints the reason. Prints notes about what the user has to know. look: the
 * unit's present processes.
 */
bool obstacles_absent(const struct opened *opened, const char *object, const struct look *look);

/*
 * Returns the objects that the unit itself preloads, "" for none, without libsecretssl; or NULL
 * if memory runs out. *has_ours: libsecretssl is among them. The caller frees the string.
 */
char *preloads_of_unit(const struct unit *unit, bool *has_ours);

#endif
