/* SPDX-License-Identifier: Apache-2.0 */
/* Which function a caller of ours means, where not all libcryptos are served
 * (docs/coverage.md). */
#ifndef PRELOAD_LIBCRYPTO_RESOLVE_H
#define PRELOAD_LIBCRYPTO_RESOLVE_H

#include "libcrypto/registry.h"

void *libcrypto_function_for(const void *caller, const char *name);

/*
 * The function of that name that a caller of ours is linked with, if it is that of a
 * libcrypto that ours must not serve. NULL, as a rule. Takes no lock, but in a constructor
 * of a library that this thread loads.
 */
static inline void *libcrypto_own_function(const void *caller, const char *name)
{
    if (sm_likely(!__atomic_load_n(&libcrypto_choices, __ATOMIC_RELAXED)))
        return NULL;
    return libcrypto_function_for(caller, name);
}

#endif
