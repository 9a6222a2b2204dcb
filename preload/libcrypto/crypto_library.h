/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of crypto libraries that the preload knows, a row for each. No other code depends
 * on the kind. docs/coverage.md lists what each row matches; docs/contributing/ says how to add
 * a row.
 */
#ifndef PRELOAD_LIBCRYPTO_CRYPTO_LIBRARY_H
#define PRELOAD_LIBCRYPTO_CRYPTO_LIBRARY_H

#include "base/common.h"
#include "hooks/mem_hooks.h"
#include "loader/elf_symbols.h"

struct crypto_library {
    const char *name; /* in messages: "LibreSSL" */

    /*
     * Tells by the exported functions. Calls no function of the object, which may not be
     * relocated yet.
     */
    bool (*resembles)(const struct elf_object *object);

    /*
     * Returns true if an object that resembles the kind is of the kind; the first row that
     * returns true counts. May call functions of the object that return a constant.
     */
    bool (*is)(const struct elf_object *object);

    /*
     * Installs the preload's CRYPTO_malloc(size, file, line) and its two relatives, for the
     * link-map namespace of the object. Returns false if the object allocated memory already.
     * hook and is_hooked are NULL for a kind whose allocation cannot be replaced, which is not
     * served.
     */
    bool (*hook)(const struct elf_object *object, const struct mem_hooks *hooks);
    bool (*is_hooked)(const struct elf_object *object);

    /*
     * The object finds the preload's functions by name, so that there is nothing to install;
     * hook is NULL. In a namespace of dlmopen() it does not find them, and is not served.
     */
    bool by_name;

    /* The object has more code than the library's. */
    bool inside;
};

/* Returns true if the object resembles any kind. Calls no function of the object. */
bool crypto_library_resembles(const struct elf_object *object);

/* Returns the row of the object, or NULL if the object is no crypto library. */
const struct crypto_library *crypto_library_of(const struct elf_object *object);

/* openssl.c and boringssl.c: the rows. */
extern SM_LOCAL const struct crypto_library openssl, old_openssl, libressl, boringssl,
    inner_boringssl, fixed_boringssl;

#endif
