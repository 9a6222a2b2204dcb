/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL and the libraries derived from it, told apart by their version. */
#include "hooks/mem_hooks.h"
#include "hooks/namespace_hooks.h"
#include "libcrypto/crypto_library.h"

#define FIRST_SERVED    0x10101000UL /* 1.1.1 */
#define LIBRESSL_SAYS   0x20000000UL /* LibreSSL of any version */
#define VERSION_UNKNOWN 0UL

typedef int set_mem_functions(crypto_malloc *, crypto_realloc *, crypto_free *);
typedef void get_mem_functions(crypto_malloc **, crypto_realloc **, crypto_free **);

static bool has_mem_functions(const struct elf_object *object)
{
    return elf_symbol_of(object, "CRYPTO_set_mem_functions") != NULL;
}

static unsigned long version_of(const struct elf_object *object)
{
    unsigned long (*version)(void) =
        (unsigned long (*)(void))elf_symbol_of(object, "OpenSSL_version_num");

    if (!version)
        version = (unsigned long (*)(void))elf_symbol_of(object, "SSLeay");
    return version ? version() : VERSION_UNKNOWN;
}

static bool is_libressl(const struct elf_object *object)
{
    return version_of(object) == LIBRESSL_SAYS;
}

/*
 * A statically linked program has only the parts of an archive that it uses, so the version may
 * be missing. Then CRYPTO_zalloc beside CRYPTO_set_mem_functions decides: it came with 1.1.0,
 * which is not told from 1.1.1, and has the same hook.
 */
static bool is_openssl(const struct elf_object *object)
{
    unsigned long version = version_of(object);

    if (version == VERSION_UNKNOWN)
        return elf_symbol_of(object, "CRYPTO_zalloc") != NULL;
    return version >= FIRST_SERVED && version != LIBRESSL_SAYS;
}

static bool is_old_openssl(const struct elf_object *object)
{
    return !is_openssl(object) && !is_libressl(object);
}

static bool openssl_hook(const struct elf_object *object, const struct mem_hooks *hooks)
{
    set_mem_functions *set =
        (set_mem_functions *)elf_symbol_of(object, "CRYPTO_set_mem_functions");

    return set(hooks->malloc, hooks->realloc, hooks->free);
}

static bool openssl_is_hooked(const struct elf_object *object)
{
    get_mem_functions *get =
        (get_mem_functions *)elf_symbol_of(object, "CRYPTO_get_mem_functions");
    crypto_malloc *m = NULL;
    crypto_realloc *r = NULL;
    crypto_free *f = NULL;

    if (get)
        get(&m, &r, &f);
    return m == hook_malloc || namespace_is_hook(m);
}

const struct crypto_library openssl = {
    .name = "OpenSSL",
    .resembles = has_mem_functions,
    .is = is_openssl,
    .hook = openssl_hook,
    .is_hooked = openssl_is_hooked,
};

const struct crypto_library old_openssl = {
    .name = "an OpenSSL older than 1.1.1",
    .resembles = has_mem_functions,
    .is = is_old_openssl,
};

const struct crypto_library libressl = {
    .name = "LibreSSL",
    .resembles = has_mem_functions,
    .is = is_libressl,
};
