/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of crypto libraries that the preload knows: a row for each, and no other place asks
 * which it is. What each row answers to is in docs/coverage.md; docs/contributing/ says how to
 * add one.
 */
#ifndef PRELOAD_LIBCRYPTO_CRYPTO_LIBRARY_H
#define PRELOAD_LIBCRYPTO_CRYPTO_LIBRARY_H

#include "base/common.h"
#include "hooks/namespace_hooks.h"
#include "loader/elf_symbols.h"

struct crypto_library {
    const char *name; /* in messages: "LibreSSL" */

    /* By the functions it exports. Calls nothing in it: it may not be relocated yet. */
    bool (*resembles)(const struct elf_object *object);

    /*
     * Whether an object that resembles it is one: the first row that says so counts. May call
     * functions of it that return a constant.
     */
    bool (*is)(const struct elf_object *object);

    /*
     * Installs our allocation: OpenSSL's CRYPTO_malloc(size, file, line) and its two relatives,
     * of the name space that it is in. False: it allocated memory already. NULL, as is_hooked:
     * it takes no other allocation than its own, and is not served.
     */
    bool (*hook)(const struct elf_object *object, const struct mem_hooks *hooks);
    bool (*is_hooked)(const struct elf_object *object);
};

/* Whether it is any. Calls nothing in it. */
bool crypto_library_resembles(const struct elf_object *object);

/* Its row; NULL: it is none. */
const struct crypto_library *crypto_library_of(const struct elf_object *object);

/* openssl.c and boringssl.c: the rows. */
extern SM_LOCAL const struct crypto_library openssl, old_openssl, libressl, boringssl;

#endif
