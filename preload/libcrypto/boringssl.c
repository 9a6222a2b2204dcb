/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BoringSSL and AWS-LC. Their allocation cannot be replaced at run time, but they look for the
 * preload's functions by name when they are loaded (exports/openssl_memory.c), unless they were
 * built or linked without that. A program or library that has them inside, and exports none of
 * their symbols, is recognised by what it looks for.
 */
#include "libcrypto/crypto_library.h"

#define NAME "BoringSSL or AWS-LC"

static bool calls_ours(const struct elf_object *object)
{
    return elf_looks_for(object, "OPENSSL_memory_alloc");
}

static bool always(const struct elf_object *object)
{
    (void)object;
    return true;
}

/* In OpenSSL and LibreSSL OPENSSL_malloc is a macro. */
static bool exports_boringssl(const struct elf_object *object)
{
    return elf_symbol_of(object, "OPENSSL_malloc") &&
           elf_symbol_of(object, "CRYPTO_library_init");
}

const struct crypto_library boringssl = {
    .name = NAME,
    .resembles = calls_ours,
    .is = always,
    .by_name = true,
};

/* Comes behind the row above, and so has the others. */
const struct crypto_library fixed_boringssl = {
    .name = NAME,
    .resembles = exports_boringssl,
    .is = always,
};
