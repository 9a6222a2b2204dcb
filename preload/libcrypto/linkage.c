/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/linkage.h"
#include "log/lapse.h"

#define USERS_MAX 64

/*
 * Entries are added, the count last, and not removed. The entry of an unloaded object stays
 * until the object is loaded at the same place, or another object needs the entry. `of` is
 * written last, and read before and after the range, so that a reader always gets a consistent
 * entry.
 */
static struct user {
    struct range code;
    unsigned of; /* LIBCRYPTO_NONE: the object is unloaded */
    bool seen;   /* in the present look */
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

static void linkage_note(struct range code, unsigned of, bool adds)
{
    unsigned i = place_of(code);

    if (i == number && !adds)
        return;
    if (i == number)
        i = free_place();
    if (i == USERS_MAX)
        sm_lapse(
            SM_LAPSE_LINKED,
            "more than %d libraries are linked with one of several libcryptos, of which some "
            "are not protected: further libraries may fail; report it",
            USERS_MAX);
    else
        write_at(i, code, of);
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

/*
 * The libcrypto of callers that name none in DT_NEEDED; LIBCRYPTO_NONE stands for the preload's
 * functions.
 */
static unsigned by_default = LIBCRYPTO_NONE;

void linkage_default_to_first(void)
{
    by_default = 0;
}

/*
 * Resolves a DT_NEEDED name like the linker: to the first object in its list with that name.
 * The registry has the same order. For an object loaded by several names of its file the last
 * name is not known here.
 */
static unsigned of_name(const char *name)
{
    unsigned by_file = LIBCRYPTO_NONE;

    for (unsigned i = 0; i < known_count; i++) {
        enum elf_named named = elf_named(&known[i].object, known[i].path, name);
        if (known[i].space)
            continue;
        if (named == ELF_NAMED)
            return i;
        if (named == ELF_NAMED_BY_FILE && by_file == LIBCRYPTO_NONE)
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

/*
 * Returns the libcrypto that an object is linked with, or LIBCRYPTO_NONE if it is the default.
 */
static unsigned linked_with(const struct elf_object *object)
{
    unsigned of = linkage_of(object);

    if (of == LIBCRYPTO_NONE || (known[of].unserved ? of : LIBCRYPTO_NONE) == by_default)
        return LIBCRYPTO_NONE;
    return of;
}

/* adds: also objects that have no entry. */
static int linkage_visit(struct dl_phdr_info *info, size_t size, void *adds)
{
    struct elf_object object = elf_object(info);
    unsigned of = linked_with(&object);

    (void)size;
    if (of != LIBCRYPTO_NONE)
        linkage_note(elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum), of,
                     *(bool *)adds);
    return 0;
}

/*
 * Frees the entries of unloaded objects before new objects are added, which may need those
 * entries.
 */
void linkage_refresh(void)
{
    bool adds = false;

    for (unsigned i = 0; i < number; i++)
        users[i].seen = false;
    dl_iterate_phdr(linkage_visit, &adds);
    for (unsigned i = 0; i < number; i++) {
        if (!users[i].seen)
            __atomic_store_n(&users[i].of, LIBCRYPTO_NONE, __ATOMIC_RELAXED);
    }
    adds = true;
    dl_iterate_phdr(linkage_visit, &adds);
}

unsigned linkage_default(void)
{
    return by_default;
}
