/* SPDX-License-Identifier: Apache-2.0 */
#include "next.h"
#include "common.h"
#include <dlfcn.h>

static const char *const names[NEXT_NUMBER] = {
    [NEXT_DLMOPEN] = "dlmopen", [NEXT_DLOPEN] = "dlopen",   [NEXT_FCLOSE] = "fclose",
    [NEXT_FGETS] = "fgets",     [NEXT_FOPEN] = "fopen",     [NEXT_FOPEN64] = "fopen64",
    [NEXT_FREAD] = "fread",     [NEXT_FREOPEN] = "freopen", [NEXT_FREOPEN64] = "freopen64",
    [NEXT_PCLOSE] = "pclose",
};

/* dlsym itself can be found by its sibling only; since this version it is in libc itself. */
dlsym_function *next_dlsym(void)
{
    static void *cached;
    void *function = __atomic_load_n(&cached, __ATOMIC_RELAXED);

    if (!function) {
        function = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
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
