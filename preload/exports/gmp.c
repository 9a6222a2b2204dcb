/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes the function by which GnuTLS installs memory functions for GMP that clear numbers
 * when they are freed. The preload's do so too, and the numbers of GnuTLS's keys are in secret
 * memory. Programs may free numbers as text that GMP has allocated by the C library's free(),
 * so nothing is done where anything but GnuTLS and its library Nettle is linked with GMP. Who
 * installs functions afterwards has them, and the preload only takes its own blocks back.
 */
#include "arena/arena.h"
#include "base/common.h"
#include "hooks/toolkit_hooks.h"
#include "libcrypto/toolkit.h"
#include <stdlib.h>

typedef void *gmp_alloc(size_t size);
typedef void *gmp_realloc(void *p, size_t old_size, size_t size);
typedef void gmp_free(void *p, size_t size);
typedef void set_memory_functions(gmp_alloc *take, gmp_realloc *resize, gmp_free *give);

void __gmp_set_memory_functions(gmp_alloc *take, gmp_realloc *resize, gmp_free *give);

/* GMP does not expect to get no memory, and ends the program itself. */
static void *number_or_end(void *p)
{
    if (!p)
        abort();
    return p;
}

static void *number_take(size_t size)
{
    return number_or_end(toolkit_malloc(size));
}

static void *number_resize(void *p, size_t old_size, size_t size)
{
    (void)old_size;
    return number_or_end(toolkit_realloc(p, size));
}

static void number_give(void *p, size_t size)
{
    (void)size;
    toolkit_free(p);
}

static bool hooked;
static gmp_realloc *program_realloc;
static gmp_free *program_free;

static void *number_mixed_resize(void *p, size_t old_size, size_t size)
{
    return sm_arena_owns(p) ? number_resize(p, old_size, size)
                            : program_realloc(p, old_size, size);
}

static void number_mixed_give(void *p, size_t size)
{
    if (sm_arena_owns(p))
        number_give(p, size);
    else
        program_free(p, size);
}

/* As mp_set_memory_functions() in gmp.h. GnuTLS leaves the first function to GMP. */
SM_EXPORT void __gmp_set_memory_functions(gmp_alloc *take, gmp_realloc *resize, gmp_free *give)
{
    static const char *const users[] = {"libgnutls.so", "libhogweed.so", "libnettle.so", NULL};
    set_memory_functions *next =
        (set_memory_functions *)toolkit_function("__gmp_set_memory_functions");

    if (!next)
        return;
    if (!take && resize && give &&
        toolkit_has_code("libgnutls.so", __builtin_return_address(0)) &&
        toolkit_is_used_only_by("libgmp.so", users)) {
        next(number_take, number_resize, number_give);
        if (!hooked)
            toolkit_hooked(__builtin_return_address(0));
        hooked = true;
        return;
    }
    if (!hooked) {
        next(take, resize, give);
        return;
    }
    program_realloc = resize ? resize : number_resize;
    program_free = give ? give : number_give;
    next(take ? take : number_take, number_mixed_resize, number_mixed_give);
}
