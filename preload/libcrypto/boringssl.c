/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BoringSSL and AWS-LC. Their allocation cannot be replaced at run time, but they look for the
 * preload's functions by name when they are loaded (exports/openssl_memory.c), unless they were
 * built or linked without that. A program or library that has them inside, and exports none of
 * their symbols, is recognised by what it looks for; its code is not only theirs.
 */
#include "libcrypto/crypto_library.h"

#define NAME   "BoringSSL or AWS-LC"
#define SOUGHT "OPENSSL_memory_alloc"

static const uintptr_t *place_for_ours(const struct elf_object *object)
{
    return elf_place_for(object, SOUGHT);
}

static bool looks_for_ours(const struct elf_object *object)
{
    return place_for_ours(object) != NULL;
}

/*
 * A program may have a function of that name of its own, which the linker finds first. The
 * place is zero before the object is relocated.
 */
static bool calls_ours(const struct elf_object *object)
{
    struct elf_object preload = elf_preload();
    uintptr_t found = *place_for_ours(object);

    return found == 0 || found == (uintptr_t)elf_symbol_of(&preload, SOUGHT);
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

static bool exports_and_looks(const struct elf_object *object)
{
    return exports_boringssl(object) && looks_for_ours(object);
}

const struct crypto_library boringssl = {
    .name = NAME,
    .resembles = exports_and_looks,
    .is = calls_ours,
    .by_name = true,
};

const struct crypto_library inner_boringssl = {
    .name = NAME,
    .resembles = looks_for_ours,
    .is = calls_ours,
    .by_name = true,
    .inside = true,
};

/* Comes behind the rows above, and so has the others. */
const struct crypto_library fixed_boringssl = {
    .name = NAME,
    .resembles = exports_boringssl,
    .is = always,
};
