/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks up a symbol that a loaded object defines itself. dlsym() would set a dlerror() that the
 * program finds, allocate, and take the linker's lock for each object.
 */
#ifndef PRELOAD_LOADER_ELF_SYMBOLS_H
#define PRELOAD_LOADER_ELF_SYMBOLS_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * As strcmp() == 0. In a program with a sanitizer strcmp() is the sanitizer run-time's, which
 * calls dlsym(), and so the preload, before it works.
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
    uintptr_t base; /* load address: what the linker added to the addresses in the file */
    const ElfW(Dyn) * dynamic;
    /*
     * Only what lies in these is read, because the linker loads an object without a look at the
     * tables that nobody has asked for so far. NULL: not known, and the object is trusted.
     */
    const ElfW(Phdr) * segments;
    unsigned segment_count;
};

struct elf_object elf_object(const struct dl_phdr_info *info);

/* Returns the address of a function that the object defines and exports, or NULL. */
void *elf_symbol_of(const struct elf_object *object, const char *name);

/*
 * Returns where the linker puts the address of a function of this name for an object that looks
 * for it and does without (weak), or NULL if the object does not.
 */
const uintptr_t *elf_place_for(const struct elf_object *object, const char *name);

/* Returns the DT_SONAME of the object, or "". */
const char *elf_soname(const struct elf_object *object);

/*
 * Returns the DT_NEEDED name with that number, from 0 on, or NULL when there are no more. A
 * name that does not end is "".
 */
const char *elf_needed(const struct elf_object *object, unsigned number);

/*
 * Tells whether a DT_NEEDED name means an object with this path, as far as the linker's names
 * of it are known: by its DT_SONAME or path, or only by the file name in its path.
 */
enum elf_named { ELF_NOT_NAMED, ELF_NAMED_BY_FILE, ELF_NAMED };
enum elf_named elf_named(const struct elf_object *object, const char *path, const char *name);

struct range {
    uintptr_t from, to;
};

static inline bool elf_range_has(struct range range, const void *code)
{
    return (uintptr_t)code - range.from < range.to - range.from;
}

/* Returns the range of an object's code, empty if there is none. */
struct range elf_code_of(uintptr_t base, const ElfW(Phdr) * segments, unsigned number);

/* Returns true if both are the same object. */
static inline bool elf_object_same(const struct elf_object *one, const struct elf_object *other)
{
    return one->base == other->base && one->dynamic == other->dynamic;
}

/* The code of a function that the object defines and exports; nothing if it does not. */
struct range elf_function_of(const struct elf_object *object, const char *name);

/* The object that this code is in: the preload. */
struct elf_object elf_preload(void);
bool elf_object_is_preload(const struct elf_object *object);

#endif
