/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/linkage.h"
#include "log/lapse.h"
#include <string.h>

#define USERS_MAX 64

/*
 * Entries are added, the count last, and not removed: one that is unloaded keeps its place for
 * when it comes back there, or until another needs it. `of` is written last, and read before
 * and after: a reader finds at every moment what is right.
 */
static struct user {
    struct range code;
    unsigned of; /* LIBCRYPTO_NONE: unloaded */
    bool seen;   /* in this look */
} users[USERS_MAX];
static unsigned number;

static unsigned place_of(struct range code)
{
    unsigned i = 0;

    while (i < number && (users[i].code.from != code.from || users[i].code.to != code.to))
        i++;
    return i;
}

static unsigned free_place(void)
{
    unsigned i = 0;

    while (i < number && users[i].of != LIBCRYPTO_NONE)
        i++;
    return i;
}

static void write_at(unsigned i, struct range code, unsigned of)
{
    __atomic_store_n(&users[i].code.from, code.from, __ATOMIC_RELEASE);
    __atomic_store_n(&users[i].code.to, code.to, __ATOMIC_RELEASE);
    users[i].seen = true;
    __atomic_store_n(&users[i].of, of, __ATOMIC_RELEASE);
    if (i == number)
        __atomic_store_n(&number, number + 1, __ATOMIC_RELEASE);
}

struct look {
    unsigned (*number_of)(const struct elf_object *);
    bool adds; /* else only those that have a place */
};

static void linkage_note(struct range code, unsigned of, bool adds)
{
    unsigned i = place_of(code);

    if (i == number && !adds)
        return;
    if (i == number)
        i = free_place();
    if (i == USERS_MAX)
        sm_lapse(SM_LAPSE_LINKED,
                 "more than %d libraries are linked with one of several libcryptos, not all "
                 "of them protected: those that follow may fail",
                 USERS_MAX);
    else
        write_at(i, code, of);
}

static int linkage_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct look *look = arg;
    struct elf_object object = elf_object(info);
    unsigned of = look->number_of(&object);

    (void)size;
    if (of != LIBCRYPTO_NONE)
        linkage_note(elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum), of,
                     look->adds);
    return 0;
}

/* First who has gone, then who has come: there may be no place but that of the former. */
void linkage_note_all(unsigned (*number_of)(const struct elf_object *))
{
    struct look look = {number_of, false};

    for (unsigned i = 0; i < number; i++)
        users[i].seen = false;
    dl_iterate_phdr(linkage_visit, &look);
    for (unsigned i = 0; i < number; i++) {
        if (!users[i].seen)
            __atomic_store_n(&users[i].of, LIBCRYPTO_NONE, __ATOMIC_RELAXED);
    }
    look.adds = true;
    dl_iterate_phdr(linkage_visit, &look);
}

unsigned linkage_find(const void *caller)
{
    unsigned there = __atomic_load_n(&number, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < there; i++) {
        unsigned of = __atomic_load_n(&users[i].of, __ATOMIC_ACQUIRE);
        struct range code = {__atomic_load_n(&users[i].code.from, __ATOMIC_ACQUIRE),
                             __atomic_load_n(&users[i].code.to, __ATOMIC_ACQUIRE)};

        if (of != LIBCRYPTO_NONE && elf_range_has(code, caller) &&
            of == __atomic_load_n(&users[i].of, __ATOMIC_RELAXED))
            return of;
    }
    return LIBCRYPTO_NONE;
}

/* What a caller has that is linked with none by name. LIBCRYPTO_NONE: ours. */
static unsigned by_default = LIBCRYPTO_NONE;

void linkage_default_to_first(void)
{
    by_default = 0;
}

/* The last part of a path. */
static const char *file_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/*
 * As the linker takes a name that an object needs: for the first in its list that has it, and
 * ours are in that order. Of one that was loaded by several names of its file the last is not
 * known here.
 */
static unsigned of_name(const char *name)
{
    unsigned by_file = LIBCRYPTO_NONE;

    for (unsigned i = 0; i < known_count; i++) {
        if (known[i].space)
            continue;
        if (strcmp(elf_soname(&known[i].object), name) == 0 || strcmp(known[i].path, name) == 0)
            return i;
        if (by_file == LIBCRYPTO_NONE && strcmp(file_of(known[i].path), name) == 0)
            by_file = i;
    }
    return by_file;
}

unsigned linkage_of(const struct elf_object *object)
{
    unsigned of = LIBCRYPTO_NONE;
    const char *name;

    for (unsigned i = 0; of == LIBCRYPTO_NONE && (name = elf_needed(object, i)); i++)
        of = of_name(name);
    return of;
}

/* With which libcrypto an object is linked, if that is not what it has by default. */
static unsigned linked_with(const struct elf_object *object)
{
    unsigned of = linkage_of(object);

    if (of == LIBCRYPTO_NONE || (known[of].unserved ? of : LIBCRYPTO_NONE) == by_default)
        return LIBCRYPTO_NONE;
    return of;
}

void linkage_refresh(void)
{
    linkage_note_all(linked_with);
}

unsigned linkage_default(void)
{
    return by_default;
}
