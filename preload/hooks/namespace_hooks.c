/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/namespace_hooks.h"
#include "arena/shortage.h"
#include "heap/fallback.h"
#include "heap/malloc.h"
#include "hooks/job_stack.h"
#include "hooks/partition.h"
#include "hooks/secure_blocks.h"
#include "loader/real.h"
#include <dlfcn.h>
#include <string.h>

/* The link-map namespaces that glibc has besides the first */
#define SPACES(X)                                                                              \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define NUMBER 16

static struct sm_c_library libraries[NUMBER];

static void *namespace_take(const struct sm_c_library *library, size_t size, const char *file)
{
    unsigned part;
    void *p;

    if (size == 0)
        return NULL;
    part = partition_for(file, size);
    if (part == PARTITION_STACK) {
        p = library->malloc(size);
        if (p)
            job_stack_hide(p, size);
        return p;
    }
    p = sm_arena_malloc(size, part);
    if (!p && partition_needed(file) && sm_short_needed())
        return sm_fallback_alloc_by(library, size);
    return p || !sm_may_fall_back(part) ? p : sm_fallback_alloc_by(library, size);
}

static void namespace_give(const struct sm_c_library *library, void *p)
{
    if (p && sm_arena_owns(p)) {
        secure_bits_free(p);
        sm_free(p);
    } else if (p) {
        sm_fallback_free_by(library, p);
    }
}

static void *namespace_retake(const struct sm_c_library *library, void *p, size_t size,
                              const char *file)
{
    bool secure;
    void *to;

    if (!p)
        return namespace_take(library, size, file);
    if (size == 0) {
        namespace_give(library, p);
        return NULL;
    }
    if (!sm_arena_owns(p))
        return sm_fallback_realloc_by(library, p, size);
    secure = secure_bits_drop(p); /* as hook_realloc() */
    to = sm_arena_realloc(p, size);
    if (!to && sm_may_fall_back(sm_part_of(p))) {
        to = sm_fallback_alloc_by(library, size);
        if (to) {
            memcpy(to, p, sm_min(sm_usable_size(p), size));
            sm_free(p);
        }
    }
    if (secure && !to)
        secure_bits_set(p);
    return to;
}

/* A set of hooks for each namespace: a hook knows its C library whatever code calls it. */
#define HOOKS(n)                                                                               \
    static void *malloc_##n(size_t size, const char *file, int line)                           \
    {                                                                                          \
        (void)line;                                                                            \
        return namespace_take(&libraries[n], size, file);                                      \
    }                                                                                          \
    static void *realloc_##n(void *p, size_t size, const char *file, int line)                 \
    {                                                                                          \
        (void)line;                                                                            \
        return namespace_retake(&libraries[n], p, size, file);                                 \
    }                                                                                          \
    static void free_##n(void *p, const char *file, int line)                                  \
    {                                                                                          \
        (void)file, (void)line;                                                                \
        namespace_give(&libraries[n], p);                                                      \
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
