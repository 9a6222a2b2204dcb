/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/real.h"
#include "base/common.h"
#include "loader/elf_symbols.h"
#include <dlfcn.h>

static const char *const names[REAL_NUMBER] = {
    [REAL_DLMOPEN] = "dlmopen",
    [REAL_DLOPEN] = "dlopen",
    [REAL_DLVSYM] = "dlvsym",
    [REAL_FCLOSE] = "fclose",
    [REAL_FGETS] = "fgets",
    [REAL_FIND_OBJECT] = "_dl_find_object", /* glibc 2.35 */
    [REAL_FOPEN] = "fopen",
    [REAL_FOPEN64] = "fopen64",
    [REAL_FREAD] = "fread",
    [REAL_FREOPEN] = "freopen",
    [REAL_FREOPEN64] = "freopen64",
    [REAL_FWRITE] = "fwrite",
    [REAL_MLOCK] = "mlock",
    [REAL_MLOCK2] = "mlock2",
    [REAL_MLOCKALL] = "mlockall",
    [REAL_MUNMAP] = "munmap",
    [REAL_PCLOSE] = "pclose",
    [REAL_PRLIMIT] = "prlimit",
    [REAL_PRLIMIT64] = "prlimit64",
    [REAL_SETRLIMIT] = "setrlimit",
    [REAL_SETRLIMIT64] = "setrlimit64",
    [REAL_SETSOCKOPT] = "setsockopt",
};

/*
 * Weak: _r_debug is there without a DT_NEEDED entry for the dynamic linker, which is a library
 * of its own.
 */
#pragma weak _r_debug

/*
 * Reads the linker's list like a debugger, because a sanitizer run-time loaded before the
 * preload calls dlsym() before its own dl_iterate_phdr() works. Objects up to the C library are
 * never unloaded.
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

/* dlsym can be found only by dlvsym, and dlvsym only in the C library's own symbol table. */
dlsym_function *real_dlsym(void)
{
    static void *cached;
    void *function = __atomic_load_n(&cached, __ATOMIC_RELAXED);

    if (!function) {
        /* Since GLIBC_2.34 dlsym is in libc itself. */
        function = find_dlvsym()(RTLD_NEXT, "dlsym", "GLIBC_2.34");
        __atomic_store_n(&cached, function, __ATOMIC_RELAXED);
    }
    return (dlsym_function *)function;
}

void *real_function(enum real which)
{
    static void *functions[REAL_NUMBER];
    void *function = __atomic_load_n(&functions[which], __ATOMIC_RELAXED);

    /* Only for calls before the preload's constructor. */
    if (!function) {
        function = real_dlsym()(RTLD_NEXT, names[which]);
        __atomic_store_n(&functions[which], function, __ATOMIC_RELAXED);
    }
    return function;
}

void real_resolve(void)
{
    for (unsigned i = 0; i < REAL_NUMBER; i++)
        real_function((enum real)i);
}
