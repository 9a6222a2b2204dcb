/* SPDX-License-Identifier: Apache-2.0 */
/* The names of systemd's units. */
#ifndef SECRETSSL_ENABLE_UNIT_NAME_H
#define SECRETSSL_ENABLE_UNIT_NAME_H

#include <stdbool.h>

#include "process/control_group.h"

/*
 * Makes the name of a service from the user's text, which may lack ".service". Returns NULL, or
 * the reason why the text names no service that can be enabled.
 */
const char *unit_name_make(const char *text, char name[UNIT_NAME_ROOM]);

#endif
