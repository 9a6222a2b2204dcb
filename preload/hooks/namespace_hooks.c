/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/namespace_hooks.h"
#include "heap/fallback.h"
#include "loader/real.h"
#include <dlfcn.h>

/* The link-map namespaces that glibc has besides the first */
#define SPACES(X)                                                                              \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define NUMBER 16

static struct sm_c_library libraries[NUMBER];

/* A set of hooks for each namespace: a hook knows its C library whatever code calls it. */
#define HOOKS(n)                                                                               \
    static void *malloc_##n(size_t size, const char *file, int line)                           \
    {                                                                                          \
        (void)line;                                                                            \
        return mem_take(&libraries[n], size, file);                                            \
    }                                                                                          \
    static void *realloc_##n(void *p, size_t size, const char *file, int line)                 \
    {                                                                                          \
        (void)line;                                                                            \
        return mem_retake(&libraries[n], p, size, file);                                       \
    }                                                                                          \
    static void free_##n(void *p, const char *file, int line)                                  \
    {                                                                                          \
        (void)file, (void)line;                                                                \
        mem_give(&libraries[n], p);                                                            \
    }
SPACES(HOOKS)

#define ENTRY(n) [n] = {malloc_##n, realloc_##n, free_##n},
static const struct mem_hooks hooks[NUMBER] = {SPACES(ENTRY)};

const struct mem_hooks *namespace_hooks(void *handle)
{
    struct sm_c_library found = {
        .malloc = (void *(*)(size_t))real_dlsym()(handle, "malloc"),
        .realloc = (void *(*)(void *, size_t))real_dlsym()(handle, "realloc"),
        .free = (void (*)(void *))real_dlsym()(handle, "free"),
        .usable_size = (size_t (*)(void *))real_dlsym()(handle, "malloc_usable_size"),
    };
    Lmid_t space = LM_ID_BASE;

    if (dlinfo(handle, RTLD_DI_LMID, &space) != 0 || space <= 0 || space >= NUMBER ||
        !found.malloc || !found.realloc || !found.free || !found.usable_size) {
        dlerror(); /* the program must not see this error */
        return NULL;
    }
    /* Another thread can only write the same values. */
    libraries[space] = found;
    return &hooks[space];
}

bool namespace_is_hook(crypto_malloc *function)
{
    for (unsigned i = 1; i < NUMBER; i++) {
        if (hooks[i].malloc == function)
            return true;
    }
    return false;
}
