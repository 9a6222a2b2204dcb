/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hooks of a libcrypto that dlmopen() put into a name space with a C library of its own:
 * what is not the arena's is that C library's.
 */
#ifndef PRELOAD_HOOKS_NAMESPACE_HOOKS_H
#define PRELOAD_HOOKS_NAMESPACE_HOOKS_H

#include "hooks/mem_hooks.h"
#include <stdbool.h>

struct mem_hooks {
    crypto_malloc *malloc;
    crypto_realloc *realloc;
    crypto_free *free;
};

/*
 * For the name space of a handle that dlmopen() gave. NULL: there is no C library to be found.
 * Takes the linker's lock.
 */
const struct mem_hooks *namespace_hooks(void *handle);

/* Whether it is one of those. */
bool namespace_is_hook(crypto_malloc *function);

#endif
