/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/crypto_library.h"

/*
 * BoringSSL comes first, because it has functions of OpenSSL and more. What has it inside comes
 * last, because it may export an OpenSSL as well.
 */
static const struct crypto_library *const rows[] = {
    &boringssl, &fixed_boringssl, &libressl, &old_openssl, &openssl, &inner_boringssl};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

bool crypto_library_resembles(const struct elf_object *object)
{
    /* The preload exports the same functions. */
    if (elf_object_is_preload(object))
        return false;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i]->resembles(object))
            return true;
    }
    return false;
}

const struct crypto_library *crypto_library_of(const struct elf_object *object)
{
    if (elf_object_is_preload(object))
        return NULL;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i]->resembles(object) && rows[i]->is(object))
            return rows[i];
    }
    return NULL;
}
