/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks up a symbol that a loaded object defines itself. Not dlsym: that would set a
 * dlerror() for the program to find, allocate, and take the linker's lock for each object.
 */
#ifndef PRELOAD_LOADER_ELF_SYMBOLS_H
#define PRELOAD_LOADER_ELF_SYMBOLS_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * As strcmp() == 0. In a program with a sanitizer that is a function of its run-time's, which
 * asks dlsym(), and so us, before it can work.
 */
static inline bool elf_same(const char *one, const char *other)
{
    while (*one && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

struct elf_object {
    uintptr_t base; /* what the linker added to its addresses */
    const ElfW(Dyn) * dynamic;
};

struct elf_object elf_object(const struct dl_phdr_info *info);

/* The address of a function that the object defines and exports; NULL: it does not. */
void *elf_symbol_of(const struct elf_object *object, const char *name);

/* The name by which others ask for it; "": it has none. */
const char *elf_soname(const struct elf_object *object);

/* The names of what it is linked with, from number 0 on; NULL: there are no more. */
const char *elf_needed(const struct elf_object *object, unsigned number);

struct range {
    uintptr_t from, to;
};

static inline bool elf_range_has(struct range range, const void *code)
{
    return (uintptr_t)code - range.from < range.to - range.from;
}

/* Where the code of an object lies; nothing if it has none. */
struct range elf_code_of(uintptr_t base, const ElfW(Phdr) * segments, unsigned number);

/* Whether two are the same object. */
static inline bool elf_object_same(const struct elf_object *one, const struct elf_object *other)
{
    return one->base == other->base && one->dynamic == other->dynamic;
}

#endif
