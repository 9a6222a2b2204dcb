/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/elf_symbols.h"
#include "support.h"
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <string.h>

/* Exported by this program (it is linked with its symbols). */
int unit_exported(void);
int unit_exported_data = 5;

int unit_exported(void)
{
    return unit_exported_data;
}

struct search {
    const char *object; /* the end of its path; "" is the program */
    const char *symbol;
    bool seen;
    void *found;
    bool sought;
};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct elf_object object = elf_object(info);
    struct search *search = arg;
    const char *name = info->dlpi_name ? info->dlpi_name : "";

    (void)size;
    if (search->object[0] ? !ends_with(name, search->object) : name[0] != '\0')
        return 0;
    search->seen = true;
    search->found = elf_symbol_of(&object, search->symbol);
    search->sought = elf_place_for(&object, search->symbol) != NULL;
    return 1;
}

static void *find(const char *object, const char *symbol)
{
    struct search search = {.object = object, .symbol = symbol};

    dl_iterate_phdr(visit, &search);
    cr_assert(search.seen, "no object %s", object);
    return search.found;
}

static bool looks_for(const char *object, const char *symbol)
{
    struct search search = {.object = object, .symbol = symbol};

    dl_iterate_phdr(visit, &search);
    return search.sought;
}

static void check_sought(const char *name)
{
    cr_assert(looks_for(name, "hash_object_sought"));
    cr_assert_not(looks_for(name, "hash_object_soughtx"));
    cr_assert_not(looks_for(name, "hash_object_sough"));
    cr_assert_not(looks_for(name, "getenv"), "which it cannot do without");
}

static void check_object(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *name = strrchr(path, '/');

    cr_assert_not_null(handle, "%s", dlerror());
    cr_assert_not_null(find(name, "hash_object_function"));
    cr_assert_eq(find(name, "hash_object_function"), dlsym(handle, "hash_object_function"));
    cr_assert_eq(find(name, "hash_object_other"), dlsym(handle, "hash_object_other"));
    cr_assert_null(find(name, "hash_object_data"), "not a function");
    cr_assert_null(find(name, "hash_object_hidden"));
    cr_assert_null(find(name, "getenv"), "used, not defined");
    cr_assert_null(find(name, "hash_object_"));
    cr_assert_null(find(name, "hash_object_function2"));
    cr_assert_null(find(name, ""));
    check_sought(name);
    cr_assert_not(looks_for(name, "hash_object_function"), "its own");
}

/* GNU's table tells nothing of an object that exports nothing. */
Test(elf_symbol, nothing_exported)
{
    static const char *const paths[] = {EMPTY_OBJECT, EMPTY_SYSV_OBJECT};

    for (size_t i = 0; i < 2; i++) {
        const char *name = strrchr(paths[i], '/') + 1;
        void *handle = dlopen(paths[i], RTLD_NOW | RTLD_LOCAL);

        cr_assert_not_null(handle, "%s", paths[i]);
        cr_assert_null(find(name, "hash_object_function"));
        check_sought(name);
        dlclose(handle);
    }
}

Test(elf_symbol, gnu_hash)
{
    check_object(GNU_OBJECT);
}

Test(elf_symbol, sysv_hash)
{
    check_object(SYSV_OBJECT);
}

Test(elf_symbol, both_hashes)
{
    check_object(BOTH_OBJECT);
}

Test(elf_symbol, c_library)
{
    static const char *const names[] = {"malloc", "free",          "printf", "getenv",
                                        "fork",   "syscall",       "prctl",  "fopen",
                                        "qsort",  "pthread_create"};
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_assert_eq(find("/libc.so.6", names[i]), dlsym(libc, names[i]), "%s", names[i]);
    cr_assert_null(find("/libc.so.6", "stdout"), "data");
    cr_assert_null(find("/libc.so.6", "CRYPTO_set_mem_functions"));
}

/* As node has libcrypto: inside of the executable. */
Test(elf_symbol, program)
{
    cr_assert_eq(find("", "unit_exported"), (void *)unit_exported);
    cr_assert_null(find("", "unit_exported_data"));
    cr_assert_null(find("", "dlopen"), "used, not defined");
    cr_assert_null(find("", "CRYPTO_set_mem_functions"));
}

/* The kernel's object, whose table has offsets, and no object that has one or the other. */
static int look_everywhere(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct elf_object object = elf_object(info);
    unsigned *objects = arg;

    (void)size;
    cr_assert_null(elf_symbol_of(&object, "no_such_function_anywhere"));
    ++*objects;
    return 0;
}

Test(elf_symbol, all_objects)
{
    unsigned objects = 0;

    dl_iterate_phdr(look_everywhere, &objects);
    cr_assert_geq(objects, 4);
}

/* dlerror() is the program's. */
Test(elf_symbol, no_side_effects)
{
    dlerror();
    find("/libc.so.6", "no_such_function_anywhere");
    cr_assert_null(dlerror());
}
