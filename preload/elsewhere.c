/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks of a libcrypto that dlmopen() put into a name space with a C library of its own. */
#include "arena.h"
#include "hooks.h"
#include "libcrypto.h"

void *hook_malloc_elsewhere(size_t size, const char *file, int line)
{
    return hook_malloc(size, file, line);
}

/* What nobody can free is left: a leak is no error. */
void hook_free_elsewhere(void *p, const char *file, int line)
{
    void (*own_free)(void *);

    if (!p || sm_arena_owns(p)) {
        hook_free(p, file, line);
        return;
    }
    own_free = (void (*)(void *))libcrypto_own_libc(__builtin_return_address(0), "free");
    if (own_free)
        own_free(p);
}

void *hook_realloc_elsewhere(void *p, size_t size, const char *file, int line)
{
    void *(*own_realloc)(void *, size_t);

    if (!p || sm_arena_owns(p))
        return hook_realloc(p, size, file, line);
    own_realloc =
        (void *(*)(void *, size_t))libcrypto_own_libc(__builtin_return_address(0), "realloc");
    return own_realloc ? own_realloc(p, size) : NULL;
}
