/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes the functions of wolfSSL that programs call first, and installs the preload's
 * memory functions there. A program may install functions of its own, before or afterwards. It
 * then has them, and the preload only takes its own blocks back.
 */
#include "arena/arena.h"
#include "base/common.h"
#include "hooks/toolkit_hooks.h"
#include "libcrypto/toolkit.h"

#define NAME         "wolfSSL"
#define BAD_FUNC_ARG (-173)

typedef void *malloc_callback(size_t size);
typedef void free_callback(void *p);
typedef void *realloc_callback(void *p, size_t size);
typedef int set_allocators(malloc_callback *take, free_callback *give,
                           realloc_callback *resize);
typedef int get_allocators(malloc_callback **take, free_callback **give,
                           realloc_callback **resize);

int wolfSSL_Init(void);
int wolfSSL_library_init(void);
int wolfCrypt_Init(void);
int wolfSSL_SetAllocators(malloc_callback *take, free_callback *give, realloc_callback *resize);

static bool hooked, refused;
static free_callback *program_free;
static realloc_callback *program_realloc;

static void wolfssl_mixed_free(void *p)
{
    if (sm_arena_owns(p))
        toolkit_free(p);
    else
        program_free(p);
}

static void *wolfssl_mixed_realloc(void *p, size_t size)
{
    return sm_arena_owns(p) ? toolkit_realloc(p, size) : program_realloc(p, size);
}

static void wolfssl_hook(void)
{
    set_allocators *set = (set_allocators *)toolkit_function("wolfSSL_SetAllocators");
    get_allocators *get = (get_allocators *)toolkit_function("wolfSSL_GetAllocators");
    malloc_callback *take = NULL;
    free_callback *give = NULL;
    realloc_callback *resize = NULL;

    if (!set || !get || get(&take, &give, &resize) != 0 || take == toolkit_malloc || refused)
        return;
    refused = take || set(toolkit_malloc, toolkit_free, toolkit_realloc) != 0;
    if (refused)
        toolkit_unhooked(NAME, "the program has installed memory functions of its own");
    else if (!hooked)
        toolkit_hooked((const void *)set);
    hooked = hooked || !refused;
}

static int wolfssl_begin(const char *name)
{
    int (*next)(void) = (int (*)(void))toolkit_function(name);

    wolfssl_hook();
    return next ? next() : BAD_FUNC_ARG;
}

/* As in wolfssl/ssl.h. */
SM_EXPORT int wolfSSL_Init(void)
{
    return wolfssl_begin("wolfSSL_Init");
}

/* As in wolfssl/ssl.h. */
SM_EXPORT int wolfSSL_library_init(void)
{
    return wolfssl_begin("wolfSSL_library_init");
}

/* As in wolfssl/wolfcrypt/wc_port.h. */
SM_EXPORT int wolfCrypt_Init(void)
{
    return wolfssl_begin("wolfCrypt_Init");
}

/* As in wolfssl/wolfcrypt/memory.h. */
SM_EXPORT int wolfSSL_SetAllocators(malloc_callback *take, free_callback *give,
                                    realloc_callback *resize)
{
    set_allocators *next = (set_allocators *)toolkit_function("wolfSSL_SetAllocators");

    if (!next)
        return BAD_FUNC_ARG;
    if (!hooked || !take || !give || !resize)
        return next(take, give, resize);
    toolkit_unhooked(NAME, "the program has installed memory functions of its own");
    refused = true;
    program_free = give;
    program_realloc = resize;
    return next(take, wolfssl_mixed_free, wolfssl_mixed_realloc);
}
