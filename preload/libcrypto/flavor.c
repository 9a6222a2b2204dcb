/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/flavor.h"
#include "exports/crypto_api.h"

static const char *const owners[] = {
    [OLD_OPENSSL] = "an OpenSSL older than 1.1.1",
    [LIBRESSL] = "LibreSSL",
    [BORINGSSL] = "BoringSSL or AWS-LC",
};

const char *owner_name(enum owner owner)
{
    return owners[owner];
}

/* For OpenSSL and LibreSSL OPENSSL_malloc is a macro. */
static bool is_boringssl(const struct elf_object *object)
{
    return elf_symbol_of(object, "OPENSSL_malloc") &&
           elf_symbol_of(object, "CRYPTO_library_init");
}

bool owner_is_libcrypto(const struct elf_object *object)
{
    const void *set = elf_symbol_of(object, "CRYPTO_set_mem_functions");

    return (set && set != (void *)CRYPTO_set_mem_functions) || is_boringssl(object);
}

/*
 * A program has those parts of an archive that it asks for: not always the version. Then
 * what lies beside CRYPTO_set_mem_functions tells: this came with 1.1.0, which is not told
 * from 1.1.1, and has the same hook.
 */
static enum owner owner_of_parts(const struct elf_object *object)
{
    return elf_symbol_of(object, "CRYPTO_zalloc") ? OPENSSL : OLD_OPENSSL;
}

enum owner owner_of(const struct elf_object *object)
{
    unsigned long (*version)(void);

    if (!owner_is_libcrypto(object))
        return NOBODY;
    if (is_boringssl(object))
        return BORINGSSL;
    version = (unsigned long (*)(void))elf_symbol_of(object, "OpenSSL_version_num");
    if (!version)
        version = (unsigned long (*)(void))elf_symbol_of(object, "SSLeay");
    if (!version)
        return owner_of_parts(object);
    if (version() < 0x10101000UL)
        return OLD_OPENSSL;
    return version() == 0x20000000UL ? LIBRESSL : OPENSSL;
}
