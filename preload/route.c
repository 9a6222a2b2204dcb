/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"
#include <string.h>

uint64_t route_cache[ROUTE_CACHE];

struct rule {
    const char *path; /* as in OpenSSL's source tree; with a final '/', a directory */
    unsigned answer;
};

/*
 * Everything that is not listed is key material: a list of what is harmless can be
 * complete, a list of what is secret cannot. The first three are bytes and nothing else:
 * no locks or reference counts, which must never lie in uncached memory.
 */
static const struct rule rules[] = {
    {"crypto/bn/bn_lib.c", SM_PART_BYTES}, /* big numbers and their words */
    {"crypto/bn/bn_exp.c", SM_PART_BYTES}, /* tables of powers in modular exponentiation */
    {"crypto/rsa/rsa_ossl.c", SM_PART_BYTES},
    {"crypto/ec/ecx_key.c", ROUTE_OCTETS},
    {"ssl/record/", SM_PART_IO},
    {"crypto/conf/conf_mod.c", SM_PART_PUBLIC},
    {"crypto/core_", SM_PART_PUBLIC},
    {"crypto/err/", SM_PART_PUBLIC},
    {"crypto/evp/evp_fetch.c", SM_PART_PUBLIC},
    {"crypto/ex_data.c", SM_PART_PUBLIC},
    {"crypto/init", SM_PART_PUBLIC},
    {"crypto/lhash/", SM_PART_PUBLIC},
    {"crypto/objects/", SM_PART_PUBLIC},
    {"crypto/property/", SM_PART_PUBLIC},
    {"crypto/provider", SM_PART_PUBLIC},
    {"crypto/stack/", SM_PART_PUBLIC},
    {"crypto/threads_", SM_PART_PUBLIC},
    {"crypto/x509/x509_vpm.c", SM_PART_PUBLIC},
};

/* A path as the compiler saw it: "../crypto/bn/bn_lib.c", "/build/openssl/crypto/..." */
static bool fits(const char *file, const char *path)
{
    const char *at = file;
    size_t length = strlen(path);

    while ((at = strstr(at, path)) != NULL) {
        bool starts = at == file || at[-1] == '/';
        bool ends = path[length - 1] != 'c' || path[length - 2] != '.' || at[length] == '\0';
        if (starts && ends)
            return true;
        at++;
    }
    return false;
}

unsigned route_classify(const char *file)
{
    if (!file)
        return SM_PART_KEY;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (fits(file, rules[i].path))
            return rules[i].answer;
    }
    return SM_PART_KEY;
}

unsigned route_miss(const char *file)
{
    uintptr_t at = (uintptr_t)file;
    unsigned answer = route_classify(file);

    if (file)
        __atomic_store_n(&route_cache[(at ^ at >> 10) % ROUTE_CACHE],
                         (uint64_t)at << 8 | (answer + 1), __ATOMIC_RELAXED);
    return answer;
}
