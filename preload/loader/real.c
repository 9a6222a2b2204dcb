/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/real.h"
#include "base/common.h"
#include "loader/elf_symbols.h"
#include <dlfcn.h>

static const char *const names[NEXT_NUMBER] = {
    [NEXT_DLMOPEN] = "dlmopen",
    [NEXT_DLOPEN] = "dlopen",
    [NEXT_DLVSYM] = "dlvsym",
    [NEXT_FCLOSE] = "fclose",
    [NEXT_FGETS] = "fgets",
    [NEXT_FOPEN] = "fopen",
    [NEXT_FOPEN64] = "fopen64",
    [NEXT_FREAD] = "fread",
    [NEXT_FREOPEN] = "freopen",
    [NEXT_FREOPEN64] = "freopen64",
    [NEXT_MLOCK] = "mlock",
    [NEXT_MLOCK2] = "mlock2",
    [NEXT_MLOCKALL] = "mlockall",
    [NEXT_MUNMAP] = "munmap",
    [NEXT_PCLOSE] = "pclose",
    [NEXT_PRLIMIT] = "prlimit",
    [NEXT_PRLIMIT64] = "prlimit64",
    [NEXT_SETRLIMIT] = "setrlimit",
    [NEXT_SETRLIMIT64] = "setrlimit64",
    [NEXT_SETSOCKOPT] = "setsockopt",
};

/* Weak: it is there without being needed by name, as a library of its own. */
#pragma weak _r_debug

/*
 * The linker's list is read as debuggers do: a sanitizer's run-time before us asks when it has
 * not even its own dl_iterate_phdr(), and what comes up to the C library is never unloaded.
 */
static dlvsym_function *find_dlvsym(void)
{
    const struct link_map *map = _r_debug.r_map;
    struct elf_object object = {0, NULL};

    for (; map; map = map->l_next) {
        object = (struct elf_object){map->l_addr, map->l_ld};
        if (elf_same(elf_soname(&object), "libc.so.6"))
            break;
    }
    return (dlvsym_function *)elf_symbol_of(&object, "dlvsym");
}

/* dlsym itself can be found by its sibling only, and that in the C library's own table. */
dlsym_function *next_dlsym(void)
{
    static void *cached;
    void *function = __atomic_load_n(&cached, __ATOMIC_RELAXED);

    if (!function) {
        /* Since this version dlsym is in libc itself. */
        function = find_dlvsym()(RTLD_NEXT, "dlsym", "GLIBC_2.34");
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
