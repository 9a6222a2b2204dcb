/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BoringSSL and AWS-LC are not served, because their allocation cannot be replaced at run time.
 */
#include "libcrypto/crypto_library.h"

/* In OpenSSL and LibreSSL OPENSSL_malloc is a macro. */
static bool is_boringssl(const struct elf_object *object)
{
    return elf_symbol_of(object, "OPENSSL_malloc") &&
           elf_symbol_of(object, "CRYPTO_library_init");
}

const struct crypto_library boringssl = {
    .name = "BoringSSL or AWS-LC",
    .resembles = is_boringssl,
    .is = is_boringssl,
};
