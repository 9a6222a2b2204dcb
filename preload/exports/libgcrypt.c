/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes the function of libgcrypt that every program calls first, and installs the
 * preload's memory functions before libgcrypt has any memory. A program may install functions
 * of its own afterwards. It then has them, and the preload only takes its own blocks back.
 * docs/toolkits.md has the contract.
 */
#include "arena/arena.h"
#include "base/common.h"
#include "hooks/toolkit_hooks.h"
#include "libcrypto/toolkit.h"

#define NAME "libgcrypt"

/* Commands of gcry_control() that only ask */
enum { ANY_INITIALIZATION_P = 40, FIPS_MODE_P = 55 };

typedef void *handler_alloc(size_t size);
typedef int handler_secure(const void *p);
typedef void *handler_realloc(void *p, size_t size);
typedef void handler_free(void *p);
typedef unsigned control_function(int command, ...);
typedef void set_function(handler_alloc *alloc, handler_alloc *secure_alloc,
                          handler_secure *is_secure, handler_realloc *resize,
                          handler_free *give);

const char *gcry_check_version(const char *wanted);
void gcry_set_allocation_handler(handler_alloc *alloc, handler_alloc *secure_alloc,
                                 handler_secure *is_secure, handler_realloc *resize,
                                 handler_free *give);

static enum { UNTOUCHED, HOOKED, LEFT_ALONE } state;

/* The functions that the program installs over the preload's */
static handler_secure *program_is_secure;
static handler_realloc *program_realloc;
static handler_free *program_free;

static int gcrypt_mixed_is_secure(const void *p)
{
    return sm_arena_owns(p) ? toolkit_is_secure(p) : program_is_secure(p);
}

static void *gcrypt_mixed_realloc(void *p, size_t size)
{
    return sm_arena_owns(p) ? toolkit_realloc(p, size) : program_realloc(p, size);
}

static void gcrypt_mixed_free(void *p)
{
    if (sm_arena_owns(p))
        toolkit_free(p);
    else
        program_free(p);
}

static void gcrypt_leave(const char *why)
{
    toolkit_unhooked(NAME, why);
    state = LEFT_ALONE;
}

/*
 * libgcrypt uses its own functions in FIPS mode. Blocks that it has allocated before cannot be
 * told from those of its own secure memory, so it is left alone if it was used already.
 */
static void gcrypt_hook(void)
{
    control_function *control = (control_function *)toolkit_function("gcry_control");
    set_function *set = (set_function *)toolkit_function("gcry_set_allocation_handler");

    if (!control || !set)
        return;
    if (control(ANY_INITIALIZATION_P) != 0 || toolkit_gcrypt_locked()) {
        if (state == UNTOUCHED)
            gcrypt_leave("it was in use before gcry_check_version");
        return;
    }
    set(toolkit_malloc, toolkit_secure_malloc, toolkit_is_secure, toolkit_realloc,
        toolkit_free);
    if (control(FIPS_MODE_P) != 0) {
        gcrypt_leave("it is in FIPS mode");
        return;
    }
    if (state != HOOKED)
        toolkit_hooked((const void *)set);
    state = HOOKED;
}

/* As in gcrypt.h. */
SM_EXPORT const char *gcry_check_version(const char *wanted)
{
    const char *(*next)(const char *) =
        (const char *(*)(const char *))toolkit_function("gcry_check_version");

    gcrypt_hook();
    return next ? next(wanted) : NULL;
}

/* As in gcrypt.h. For a function that the program leaves out the preload's stays. */
SM_EXPORT void gcry_set_allocation_handler(handler_alloc *alloc, handler_alloc *secure_alloc,
                                           handler_secure *is_secure, handler_realloc *resize,
                                           handler_free *give)
{
    set_function *next = (set_function *)toolkit_function("gcry_set_allocation_handler");

    if (!next)
        return;
    if (state != HOOKED) {
        next(alloc, secure_alloc, is_secure, resize, give);
        return;
    }
    toolkit_unhooked(NAME, "the program has installed memory functions of its own");
    program_is_secure = is_secure ? is_secure : toolkit_is_secure;
    program_realloc = resize ? resize : toolkit_realloc;
    program_free = give ? give : toolkit_free;
    next(alloc ? alloc : toolkit_malloc, secure_alloc ? secure_alloc : toolkit_secure_malloc,
         gcrypt_mixed_is_secure, gcrypt_mixed_realloc, gcrypt_mixed_free);
}
