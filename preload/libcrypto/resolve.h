/* SPDX-License-Identifier: Apache-2.0 */
/* Which libcrypto a caller of ours has, where not all are served (docs/coverage.md). */
#ifndef PRELOAD_CALLERS_H
#define PRELOAD_CALLERS_H

#include "loader/elf_symbols.h"

/* The number of the libcrypto that an object is linked with by name; USERS_NONE: with none. */
unsigned callers_linked_with(const struct elf_object *object);

/* At start, if there is a libcrypto and none of them is served: the first is the default. */
void callers_default_to_first(void);

/* With the start lock, once one is not served: notes anew what is linked with which. */
void callers_look(void);

#endif
