/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hooks of a libcrypto that dlmopen() put into a name space with a C library of its own:
 * what is not the arena's is that C library's.
 */
#ifndef PRELOAD_ELSEWHERE_H
#define PRELOAD_ELSEWHERE_H

#include "exports/crypto_api.h"
#include <stdbool.h>

struct elsewhere {
    crypto_malloc *malloc;
    crypto_realloc *realloc;
    crypto_free *free;
};

/*
 * For the name space of a handle that dlmopen() gave. NULL: there is no C library to be found.
 * Takes the linker's lock.
 */
const struct elsewhere *elsewhere_hooks(void *handle);

/* Whether it is one of those. */
bool elsewhere_is_hook(crypto_malloc *function);

#endif
