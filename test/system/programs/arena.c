/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

const char *const part_names[PARTS + 2] = {"key bytes", "keys", "records",
                                           "public",    "",     "none"};

/*
 * The arena is one range of mappings that touch each other, in which the partitions have
 * equal parts. Ordinary memory may lie in it (SECRETSSL_ROUTE), but most of it has no access.
 */
static struct range arena_range(uintptr_t address)
{
    char line[512];
    struct range range = {0, 0};
    bool found = false;
    FILE *file = fopen("/proc/self/maps", "re");

    if (!file)
        broken("open /proc/self/maps");
    while (fgets(line, sizeof(line), file)) {
        uintptr_t start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) != 2)
            continue;
        if (start != range.end) {
            if (found)
                break;
            range.start = start;
        }
        range.end = end;
        found = found || (address >= start && address < end);
    }
    fclose(file);
    return range;
}

enum part part_of(const void *address)
{
    uintptr_t at = (uintptr_t)address;
    struct range range = arena_range(at);
    size_t length = range.end - range.start;

    /* Four powers of two of at least 16 MiB */
    if (at < range.start || at >= range.end || length == 0 || length < PARTS * (16UL << 20) ||
        (length & (length - 1)) != 0)
        return PART_NONE;
    return (enum part)((at - range.start) / (length / PARTS));
}

void check_part(const void *address, enum part wanted, const char *what)
{
    enum part part = part_of(address);

    if (expected == MEMORY_ORDINARY)
        wanted = PART_NONE;
    check(part == wanted, "%s: partition %s, wanted %s", what, part_names[part],
          part_names[wanted]);
}

static void add(struct numbers *numbers, const char *name, const BIGNUM *value)
{
    struct number *number = &numbers->number[numbers->count++];

    number->name = name;
    number->size = (size_t)BN_num_bytes(value);
    if (number->size > sizeof(number->big) || numbers->count > 8)
        broken("a number that is too long");
    BN_bn2bin(value, number->big);
    for (size_t i = 0; i < number->size; i++)
        number->little[i] = number->big[number->size - 1 - i];
}

void numbers_add(struct numbers *numbers, const EVP_PKEY *key)
{
    static const char *const rsa[] = {
        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    };
    static const char *const ec[] = {OSSL_PKEY_PARAM_PRIV_KEY};
    bool is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
    const char *const *names = is_rsa ? rsa : ec;

    for (size_t i = 0; i < (is_rsa ? 6 : 1); i++) {
        BIGNUM *value = NULL;
        if (EVP_PKEY_get_bn_param(key, names[i], &value) != 1)
            broken("a private number");
        add(numbers, names[i], value);
        BN_clear_free(value);
    }
}

static unsigned search_one(const unsigned char *window, size_t length, const unsigned char *in,
                           size_t size, const char *name,
                           void (*found)(const unsigned char *at, const char *name))
{
    const unsigned char *at = in, *end = in + size;
    unsigned count = 0;

    while ((at = memmem(at, (size_t)(end - at), window, length)) != NULL) {
        count++;
        if (found)
            found(at, name);
        at++;
    }
    return count;
}

unsigned numbers_search(const struct numbers *numbers, size_t window, const unsigned char *in,
                        size_t size, void (*found)(const unsigned char *at, const char *name))
{
    unsigned count = 0;

    for (unsigned n = 0; n < numbers->count; n++) {
        const struct number *number = &numbers->number[n];
        for (size_t from = 0; from + window <= number->size; from++) {
            count += search_one(number->big + from, window, in, size, number->name, found);
            count += search_one(number->little + from, window, in, size, number->name, found);
        }
    }
    return count;
}
