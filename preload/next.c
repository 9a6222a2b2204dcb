/* SPDX-License-Identifier: Apache-2.0 */
#include "next.h"
#include "common.h"
#include "elf_symbol.h"
#include <dlfcn.h>
#include <string.h>

static const char *const names[NEXT_NUMBER] = {
    [NEXT_DLMOPEN] = "dlmopen",     [NEXT_DLOPEN] = "dlopen",
    [NEXT_DLVSYM] = "dlvsym",       [NEXT_FCLOSE] = "fclose",
    [NEXT_FGETS] = "fgets",         [NEXT_FOPEN] = "fopen",
    [NEXT_FOPEN64] = "fopen64",     [NEXT_FREAD] = "fread",
    [NEXT_FREOPEN] = "freopen",     [NEXT_FREOPEN64] = "freopen64",
    [NEXT_MLOCK] = "mlock",         [NEXT_MLOCK2] = "mlock2",
    [NEXT_MUNMAP] = "munmap",       [NEXT_PCLOSE] = "pclose",
    [NEXT_PRLIMIT] = "prlimit",     [NEXT_PRLIMIT64] = "prlimit64",
    [NEXT_SETRLIMIT] = "setrlimit", [NEXT_SETRLIMIT64] = "setrlimit64",
};

static int find_dlvsym(struct dl_phdr_info *info, size_t size, void *found)
{
    struct elf_object object = elf_object(info);

    (void)size;
    if (strcmp(elf_soname(&object), "libc.so.6") == 0)
        *(void **)found = elf_symbol_of(&object, "dlvsym");
    return *(void **)found != NULL;
}

/* dlsym itself can be found by its sibling only, and that in the C library's own table. */
dlsym_function *next_dlsym(void)
{
    static void *cached;
    void *function = __atomic_load_n(&cached, __ATOMIC_RELAXED), *dlvsym_there = NULL;

    if (!function) {
        dl_iterate_phdr(find_dlvsym, &dlvsym_there);
        /* Since this version dlsym is in libc itself. */
        function = ((dlvsym_function *)dlvsym_there)(RTLD_NEXT, "dlsym", "GLIBC_2.34");
        __atomic_store_n(&cached, function, __ATOMIC_RELAXED);
    }
    return (dlsym_function *)function;
}

void *next_function(enum next which)
{
    static void *functions[NEXT_NUMBER];
    void *function = __atomic_load_n(&functions[which], __ATOMIC_RELAXED);

    /* Only for calls before our constructor */
    if (!function) {
        function = next_dlsym()(RTLD_NEXT, names[which]);
        __atomic_store_n(&functions[which], function, __ATOMIC_RELAXED);
    }
    return function;
}

void next_resolve(void)
{
    for (unsigned i = 0; i < NEXT_NUMBER; i++)
        next_function((enum next)i);
}
