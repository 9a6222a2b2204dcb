/* SPDX-License-Identifier: Apache-2.0 */
#include "next.h"
#include "common.h"
#include <dlfcn.h>

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

void *next_function(void **cache, const char *name)
{
    void *function = __atomic_load_n(cache, __ATOMIC_RELAXED);

    if (!function) {
        function = next_dlsym()(RTLD_NEXT, name);
        __atomic_store_n(cache, function, __ATOMIC_RELAXED);
    }
    return function;
}
