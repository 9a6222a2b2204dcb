/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is linked with another libcrypto than callers have by default, if any is not served.
 * Read without a lock.
 */
#ifndef PRELOAD_LIBCRYPTO_LINKAGE_H
#define PRELOAD_LIBCRYPTO_LINKAGE_H

#include "base/common.h"
#include "libcrypto/registry.h"
#include "loader/elf_symbols.h"

/*
 * With the start lock: asks of each object that is loaded what number it is to be noted with,
 * if any, and forgets those that are not loaded any more.
 */
void linkage_note_all(unsigned (*number_of)(const struct elf_object *));

/* The number that a caller was noted with; LIBCRYPTO_NONE: it was not. */
unsigned linkage_find(const void *caller);

/* The number of the libcrypto that an object is linked with by name; LIBCRYPTO_NONE: with none.
 */
unsigned linkage_of(const struct elf_object *object);

/* At start, if there is a libcrypto and none of them is served: the first is the default. */
void linkage_default_to_first(void);

/* With the start lock, once one is not served: notes anew what is linked with which. */
void linkage_refresh(void);

/* What a caller has that is linked with none by name; LIBCRYPTO_NONE: ours. */
unsigned linkage_default(void);

#endif
