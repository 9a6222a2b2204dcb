/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/flavor.h"

/* The beginning of this object, by the linker */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static const char *const flavors[] = {
    [OLD_OPENSSL] = "an OpenSSL older than 1.1.1",
    [LIBRESSL] = "LibreSSL",
    [BORINGSSL] = "BoringSSL or AWS-LC",
};

const char *flavor_name(enum flavor flavor)
{
    return flavors[flavor];
}

/* For OpenSSL and LibreSSL OPENSSL_malloc is a macro. */
static bool is_boringssl(const struct elf_object *object)
{
    return elf_symbol_of(object, "OPENSSL_malloc") &&
           elf_symbol_of(object, "CRYPTO_library_init");
}

bool flavor_is_libcrypto(const struct elf_object *object)
{
    /* Ours has the functions as well. */
    if (object->base == (uintptr_t)&__ehdr_start)
        return false;
    return elf_symbol_of(object, "CRYPTO_set_mem_functions") || is_boringssl(object);
}

/*
 * A program has those parts of an archive that it asks for: not always the version. Then
 * what lies beside CRYPTO_set_mem_functions tells: this came with 1.1.0, which is not told
 * from 1.1.1, and has the same hook.
 */
static enum flavor flavor_of_parts(const struct elf_object *object)
{
    return elf_symbol_of(object, "CRYPTO_zalloc") ? OPENSSL : OLD_OPENSSL;
}

enum flavor flavor_of(const struct elf_object *object)
{
    unsigned long (*version)(void);

    if (!flavor_is_libcrypto(object))
        return NOBODY;
    if (is_boringssl(object))
        return BORINGSSL;
    version = (unsigned long (*)(void))elf_symbol_of(object, "OpenSSL_version_num");
    if (!version)
        version = (unsigned long (*)(void))elf_symbol_of(object, "SSLeay");
    if (!version)
        return flavor_of_parts(object);
    if (version() < 0x10101000UL)
        return OLD_OPENSSL;
    return version() == 0x20000000UL ? LIBRESSL : OPENSSL;
}
