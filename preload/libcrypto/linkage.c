/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/linkage.h"
#include "log/lapse.h"

#define USERS_MAX 64

struct range code_of(uintptr_t base, const ElfW(Phdr) * segments, unsigned number)
{
    struct range range = {UINTPTR_MAX, 0};

    for (unsigned i = 0; i < number; i++) {
        uintptr_t at = base + segments[i].p_vaddr;
        if (segments[i].p_type != PT_LOAD || !(segments[i].p_flags & PF_X))
            continue;
        range.from = sm_min(range.from, at);
        range.to = sm_max(range.to, at + segments[i].p_memsz);
    }
    return range.from < range.to ? range : (struct range){0, 0};
}

/*
 * Entries are added, the count last, and not removed: one that is unloaded keeps its place for
 * when it comes back there, or until another needs it. `of` is written last, and read before
 * and after: a reader finds at every moment what is right.
 */
static struct user {
    struct range code;
    unsigned of; /* USERS_NONE: unloaded */
    bool seen;   /* in this look */
} users[USERS_MAX];
static unsigned number;

static unsigned find(struct range code)
{
    unsigned i = 0;

    while (i < number && (users[i].code.from != code.from || users[i].code.to != code.to))
        i++;
    return i;
}

static unsigned free_place(void)
{
    unsigned i = 0;

    while (i < number && users[i].of != USERS_NONE)
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

static void note(struct range code, unsigned of, bool adds)
{
    unsigned i = find(code);

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

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct look *look = arg;
    struct elf_object object = elf_object(info);
    unsigned of = look->number_of(&object);

    (void)size;
    if (of != USERS_NONE)
        note(code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum), of, look->adds);
    return 0;
}

/* First who has gone, then who has come: there may be no place but that of the former. */
void users_look(unsigned (*number_of)(const struct elf_object *))
{
    struct look look = {number_of, false};

    for (unsigned i = 0; i < number; i++)
        users[i].seen = false;
    dl_iterate_phdr(visit, &look);
    for (unsigned i = 0; i < number; i++) {
        if (!users[i].seen)
            __atomic_store_n(&users[i].of, USERS_NONE, __ATOMIC_RELAXED);
    }
    look.adds = true;
    dl_iterate_phdr(visit, &look);
}

unsigned users_find(const void *caller)
{
    unsigned there = __atomic_load_n(&number, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < there; i++) {
        unsigned of = __atomic_load_n(&users[i].of, __ATOMIC_ACQUIRE);
        struct range code = {__atomic_load_n(&users[i].code.from, __ATOMIC_ACQUIRE),
                             __atomic_load_n(&users[i].code.to, __ATOMIC_ACQUIRE)};

        if (of != USERS_NONE && range_has(code, caller) &&
            of == __atomic_load_n(&users[i].of, __ATOMIC_RELAXED))
            return of;
    }
    return USERS_NONE;
}
