/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/elf_symbols.h"
#include "support.h"
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Reads an object; its table of symbols is at *first. */
static char *read_object(const char *path, size_t *size, ElfW(Sym) * *first, size_t *count)
{
    FILE *file = fopen(path, "re");
    char *bytes = calloc(1, 1 << 20);
    const ElfW(Ehdr) *head = (const void *)bytes;
    const ElfW(Shdr) * section;

    cr_assert(file && bytes);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    section = (const void *)(bytes + head->e_shoff);
    while (section->sh_type != SHT_DYNSYM)
        section++;
    *first = (void *)(bytes + section->sh_offset);
    *count = section->sh_size / sizeof(**first);
    return bytes;
}

/*
 * Makes a copy of the object, in which the names, or the addresses, of all functions that it
 * defines lie far outside, and loads it. The linker looks at none of them.
 */
static void load_broken(const char *path, bool names, char copy[])
{
    size_t size, count;
    ElfW(Sym) * symbol;
    char *bytes = read_object(path, &size, &symbol, &count);
    int fd = mkstemp(copy);

    for (; count > 0; count--, symbol++) {
        if (symbol->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
            continue;
        if (names)
            symbol->st_name = 0x7fffffff;
        else
            symbol->st_value = 0x7fffffffff;
    }
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    free(bytes);
    cr_assert_not_null(dlopen(copy, RTLD_LAZY | RTLD_LOCAL), "%s", dlerror());
    unlink(copy);
}

/* The linker loads an object whose tables are broken, as long as it finds nothing there. */
Test(elf_symbol, broken)
{
    char names[] = "/tmp/unit_names_XXXXXX", gnu[] = "/tmp/unit_gnu_XXXXXX";
    char sysv[] = "/tmp/unit_sysv_XXXXXX";

    load_broken(GNU_OBJECT, true, names);
    cr_assert_null(find(strrchr(names, '/'), "hash_object_function"));
    load_broken(GNU_OBJECT, false, gnu);
    cr_assert_null(find(strrchr(gnu, '/'), "hash_object_function"));
    load_broken(SYSV_OBJECT, false, sysv);
    cr_assert_null(find(strrchr(sysv, '/'), "hash_object_function"));
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
