/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The function that a caller of the preload is linked with, where a libcrypto is not served
 * (docs/coverage.md).
 */
#ifndef PRELOAD_LIBCRYPTO_RESOLVE_H
#define PRELOAD_LIBCRYPTO_RESOLVE_H

#include "libcrypto/registry.h"

void *libcrypto_function_for(const void *caller, const char *name);

/*
 * Called with the caller, if it is set, while libcrypto_choices is not 0. Set by the seal
 * layer.
 */
extern SM_LOCAL void (*resolve_way_out)(const void *caller);

/*
 * Returns the function of that name that the caller is linked with, if it belongs to a
 * libcrypto that the preload must not serve, otherwise NULL, the usual result. Takes no lock,
 * unless this thread loads a library or has loaded one by a call that was passed on.
 */
static inline void *libcrypto_own_function(const void *caller, const char *name)
{
    if (sm_likely(!__atomic_load_n(&libcrypto_choices, __ATOMIC_RELAXED)))
        return NULL;
    return libcrypto_function_for(caller, name);
}

/* The same with the type of the function: LIBCRYPTO_OWN(caller, CRYPTO_malloc). */
#define LIBCRYPTO_OWN(caller, name) ((__typeof__(&(name)))libcrypto_own_function(caller, #name))

#endif
