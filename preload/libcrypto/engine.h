/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ENGINE is linked with a libcrypto, and a program with a different libcrypto may load it.
 * Each libcrypto frees blocks of the other, so the program passes its memory functions to the
 * engine, which gives them to its own libcrypto (IMPLEMENT_DYNAMIC_BIND_FN in
 * openssl/engine.h). That libcrypto must call these functions.
 */
#ifndef PRELOAD_LIBCRYPTO_ENGINE_H
#define PRELOAD_LIBCRYPTO_ENGINE_H

#include "hooks/mem_hooks.h"
#include <stdbool.h>

/*
 * Handles a call of CRYPTO_set_mem_functions(m, r, f) by code at caller, with functions other
 * than the hooks. Returns true if the caller is an engine, whose libcrypto then allocates by m,
 * r and f.
 */
bool engine_shares(const void *caller, crypto_malloc *m, crypto_realloc *r, crypto_free *f);

/*
 * Returns true if function belongs to a libcrypto that got the functions of a program. That
 * libcrypto can free blocks of the arena too.
 */
bool engine_has(const void *function);

#endif
