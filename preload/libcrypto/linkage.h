/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is linked with another libcrypto than callers have by default, if any is not served.
 * Read without a lock.
 */
#ifndef PRELOAD_USERS_H
#define PRELOAD_USERS_H

#include "base/common.h"
#include "loader/elf_symbols.h"

#define USERS_NONE UINT32_MAX

struct range {
    uintptr_t from, to;
};

static inline bool range_has(struct range range, const void *code)
{
    return (uintptr_t)code - range.from < range.to - range.from;
}

/* Where the code of an object lies; nothing if it has none. */
struct range code_of(uintptr_t base, const ElfW(Phdr) * segments, unsigned number);

/*
 * With the start lock: asks of each object that is loaded what number it is to be noted with,
 * if any, and forgets those that are not loaded any more.
 */
void users_look(unsigned (*number_of)(const struct elf_object *));

/* The number that a caller was noted with; USERS_NONE: it was not. */
unsigned users_find(const void *caller);

#endif
