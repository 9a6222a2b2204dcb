/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ENGINE is linked with a libcrypto, and may be loaded by a program that has another one in
 * it. What the one allocates the other frees: so the program hands its memory functions over,
 * and the engine gives them to its own libcrypto (IMPLEMENT_DYNAMIC_BIND_FN in
 * openssl/engine.h). These must be called.
 */
#ifndef PRELOAD_LIBCRYPTO_ENGINE_H
#define PRELOAD_LIBCRYPTO_ENGINE_H

#include "hooks/mem_hooks.h"
#include <stdbool.h>

/*
 * CRYPTO_set_mem_functions(m, r, f), which code at caller calls and which are not ours. True:
 * the caller is an engine, and its libcrypto allocates by these from now on.
 */
bool engine_shares(const void *caller, crypto_malloc *m, crypto_realloc *r, crypto_free *f);

/* Whether a function is of a libcrypto that was treated so: it knows our blocks too. */
bool engine_has(const void *function);

#endif
