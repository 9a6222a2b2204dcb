/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hooks of a libcrypto that dlmopen() loaded into a link-map namespace with a C library of
 * its own. Blocks outside the arena belong to that C library.
 */
#ifndef PRELOAD_HOOKS_NAMESPACE_HOOKS_H
#define PRELOAD_HOOKS_NAMESPACE_HOOKS_H

#include "hooks/mem_hooks.h"
#include <stdbool.h>

/*
 * Returns the hooks for the namespace of a dlmopen() handle, or NULL if no C library is found
 * there. Takes the linker's lock.
 */
const struct mem_hooks *namespace_hooks(void *handle);

/* Returns true if function is the malloc hook of a namespace. */
bool namespace_is_hook(crypto_malloc *function);

#endif
