/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private parts of the keys of FIPS 203, 204 and 205. A private key is written as several
 * values in a row, with public values among them. libcrypto keeps the values apart in memory,
 * and keeps small coefficients in words of 16 or 32 bits. So the scanner searches for each
 * value by itself, as written and as kept. Both forms follow from the standards and from
 * observation of libcrypto 3.5 and 3.6.
 */
#include "scan/key_source.h"

#include <string.h>

#include "cli/message.h"
#include "secretmem.h"

enum {
    COEFFICIENTS = 256, /* of a polynomial */
    BYTES = 32,         /* of a seed, of K, of a hash */
    TR = 64,            /* the hash of a public key of ML-DSA */
    KEM_BITS = 12,      /* of a coefficient, as ML-KEM writes it */
    DSA_MODULUS = 8380417,
};

static const struct lattice {
    const char *type;
    unsigned rank;   /* polynomials of s, or of s1 */
    unsigned second; /* of s2; 0: the type is ML-KEM */
    unsigned eta;
    size_t size; /* of the private key */
} lattices[] = {
    {"ML-KEM-512", 2, 0, 0, 1632},  {"ML-KEM-768", 3, 0, 0, 2400},
    {"ML-KEM-1024", 4, 0, 0, 3168}, {"ML-DSA-44", 4, 4, 2, 2560},
    {"ML-DSA-65", 5, 6, 4, 4032},   {"ML-DSA-87", 7, 8, 2, 4896},
};

static bool lattice_add_copy(struct key_source *from, const char *name, const uint8_t *bytes,
                             size_t size)
{
    uint8_t *copy = secretmem_calloc(1, size);

    if (copy == NULL) {
        say("scan: out of memory");
        return false;
    }
    memcpy(copy, bytes, size);
    return key_source_add(from, name, KEY_STRING, copy, size);
}

/* The standards write the lowest bit first. */
static unsigned bits_at(const uint8_t *bytes, size_t bit, unsigned count)
{
    unsigned value = 0;

    for (unsigned i = 0; i < count; i++, bit++)
        value |= (unsigned)(bytes[bit / 8] >> bit % 8 & 1) << i;
    return value;
}

/* A word of this machine. */
static void put_word(uint8_t *at, uint32_t value, size_t width)
{
    uint16_t half = (uint16_t)value;

    if (width == sizeof(half))
        memcpy(at, &half, sizeof(half));
    else
        memcpy(at, &value, sizeof(value));
}

/*
 * Adds polynomials in the form that libcrypto keeps. bias 0: the written values are the
 * coefficients. Otherwise each written value is bias minus the coefficient, and coefficients
 * are kept modulo q.
 */
static bool add_unpacked(struct key_source *from, const char *name, const uint8_t *bytes,
                         size_t polynomials, unsigned bits, unsigned bias)
{
    size_t width = bias == 0 ? sizeof(uint16_t) : sizeof(uint32_t);
    size_t count = polynomials * COEFFICIENTS;
    uint8_t *words = secretmem_calloc(1, count * width);

    if (words == NULL) {
        say("scan: out of memory");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        unsigned value = bits_at(bytes, i * bits, bits);

        if (bias != 0)
            value = value <= bias ? bias - value : DSA_MODULUS + bias - value;
        put_word(words + i * width, value, width);
    }
    return key_source_add(from, name, KEY_WORDS, words, count * width);
}

/* A private key has s, the public key, its hash, and z. */
static bool add_kem(struct key_source *from, const struct lattice *key, const uint8_t *private)
{
    size_t size = (size_t)key->rank * COEFFICIENTS * KEM_BITS / 8;

    return lattice_add_copy(from, "s", private, size) &&
           add_unpacked(from, "s unpacked", private, key->rank, KEM_BITS, 0) &&
           lattice_add_copy(from, "z", private + key->size - BYTES, BYTES);
}

/* A private key has rho (public), K, the public key's hash, s1, s2, and the rest of t. */
static bool add_dsa(struct key_source *from, const struct lattice *key, const uint8_t *private)
{
    unsigned bits = key->eta == 2 ? 3 : 4;
    size_t polynomial = (size_t)COEFFICIENTS * bits / 8;
    const uint8_t *s1 = private + 2 * BYTES + TR, *s2 = s1 + key->rank * polynomial;

    return lattice_add_copy(from, "K", private + BYTES, BYTES) &&
           lattice_add_copy(from, "s1", s1, key->rank * polynomial) &&
           add_unpacked(from, "s1 unpacked", s1, key->rank, bits, key->eta) &&
           lattice_add_copy(from, "s2", s2, key->second * polynomial) &&
           add_unpacked(from, "s2 unpacked", s2, key->second, bits, key->eta);
}

/* A private key has two secret strings, and a public key of the same size. */
static bool add_hash_based(struct key_source *from, const uint8_t *private, size_t size)
{
    return lattice_add_copy(from, "seed", private, size / 4) &&
           lattice_add_copy(from, "prf", private + size / 4, size / 4);
}

bool key_lattice_add(struct key_source *from, const uint8_t *private, size_t size, bool *known)
{
    *known = true;
    for (size_t i = 0; i < sizeof(lattices) / sizeof(lattices[0]); i++) {
        const struct lattice *key = &lattices[i];

        if (strcmp(from->type, key->type) == 0 && size == key->size)
            return key->second == 0 ? add_kem(from, key, private) : add_dsa(from, key, private);
    }
    if (strncmp(from->type, "SLH-DSA-", 8) == 0 && size % 4 == 0)
        return add_hash_based(from, private, size);
    *known = false;
    return true;
}

bool key_lattice_add_seed(struct key_source *from, const uint8_t *seed, size_t size)
{
    if (strncmp(from->type, "ML-KEM-", 7) == 0 && size == 2 * (size_t)BYTES)
        return lattice_add_copy(from, "d", seed, BYTES) &&
               lattice_add_copy(from, "z", seed + BYTES, BYTES);
    return lattice_add_copy(from, "seed", seed, size);
}
