/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/real.h"
#include "base/common.h"
#include "loader/elf_symbols.h"
#include <dlfcn.h>

#define REAL_NAME_OF(name) #name,
static const char *const names[REAL_NUMBER] = {REAL_FUNCTIONS(REAL_NAME_OF)};

static bool resolved;

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
    struct elf_object object = {0};

    for (; map; map = map->l_next) {
        object = (struct elf_object){.base = map->l_addr, .dynamic = map->l_ld};
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
    if (!function && !__atomic_load_n(&resolved, __ATOMIC_RELAXED)) {
        function = real_dlsym()(RTLD_NEXT, names[which]);
        __atomic_store_n(&functions[which], function, __ATOMIC_RELAXED);
    }
    return function;
}

bool real_is_resolved(void)
{
    return __atomic_load_n(&resolved, __ATOMIC_RELAXED);
}

void real_resolve(void)
{
    for (unsigned i = 0; i < REAL_NUMBER; i++)
        real_function((enum real)i);
    __atomic_store_n(&resolved, true, __ATOMIC_RELAXED);
}
