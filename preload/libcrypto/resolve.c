/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/resolve.h"
#include "libcrypto/discover.h"
#include "libcrypto/registry.h"
#include <string.h>

unsigned libcrypto_choices;
static __thread unsigned loads __attribute__((tls_model("initial-exec")));

/* What a caller has that is linked with none by name. USERS_NONE: ours. */
static unsigned by_default = USERS_NONE;

void callers_default_to_first(void)
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
    unsigned by_file = USERS_NONE;

    for (unsigned i = 0; i < known_count; i++) {
        if (known[i].space)
            continue;
        if (strcmp(elf_soname(&known[i].object), name) == 0 || strcmp(known[i].path, name) == 0)
            return i;
        if (by_file == USERS_NONE && strcmp(file_of(known[i].path), name) == 0)
            by_file = i;
    }
    return by_file;
}

unsigned callers_linked_with(const struct elf_object *object)
{
    unsigned of = USERS_NONE;
    const char *name;

    for (unsigned i = 0; of == USERS_NONE && (name = elf_needed(object, i)); i++)
        of = of_name(name);
    return of;
}

/* With which libcrypto an object is linked, if that is not what it has by default. */
static unsigned linked_with(const struct elf_object *object)
{
    unsigned of = callers_linked_with(object);

    if (of == USERS_NONE || (known[of].unserved ? of : USERS_NONE) == by_default)
        return USERS_NONE;
    return of;
}

void callers_look(void)
{
    users_look(linked_with);
}

/* The libcrypto that code lies in. */
static unsigned of_code(const void *code)
{
    unsigned number = count(&known_count);

    for (unsigned i = 0; i < number; i++) {
        if (range_has(known[i].code, code))
            return i;
    }
    return USERS_NONE;
}

bool libcrypto_contains(const void *code)
{
    return of_code(code) != USERS_NONE;
}

bool libcrypto_serves(const void *code)
{
    unsigned of = of_code(code);

    return of != USERS_NONE && !known[of].unserved;
}

void libcrypto_load_begin(void)
{
    loads++;
    __atomic_fetch_add(&libcrypto_choices, 1, __ATOMIC_RELAXED);
}

void libcrypto_load_end(void)
{
    __atomic_fetch_sub(&libcrypto_choices, 1, __ATOMIC_RELAXED);
    loads--;
}

void *libcrypto_function_for(const void *caller, const char *name)
{
    unsigned of = of_code(caller);

    /*
     * In a constructor: all that came is relocated, and the linker's lock is this thread's.
     * What is noted of this place may be of a library that is gone.
     */
    if (of == USERS_NONE && loads)
        libcrypto_look();
    if (of == USERS_NONE)
        of = users_find(caller);
    if (of == USERS_NONE)
        of = by_default;
    if (of == USERS_NONE || !known[of].unserved)
        return NULL;
    return elf_symbol_of(&known[of].object, name);
}

bool libcrypto_leaves_alone(const void *function)
{
    unsigned of = of_code(function);

    return of != USERS_NONE && known[of].unserved;
}
