/* SPDX-License-Identifier: Apache-2.0 */
/* Adds the private parts of one key to the list of all parts. */
#ifndef SECRETSSL_SCAN_KEY_SOURCE_H
#define SECRETSSL_SCAN_KEY_SOURCE_H

#include "scan/key_parts.h"

/* The key whose parts are being added. */
struct key_source {
    struct key_parts *keys;
    const char *file;
    const char *type; /* libcrypto's name */
    size_t taken;     /* parts of the key so far, new or not */
};

/* Adds a part and takes ownership of bytes. On failure prints a message and returns false. */
bool key_source_add(struct key_source *from, const char *name, enum key_form form,
                    uint8_t *bytes, size_t size);

/*
 * Adds the parts of an ML-KEM, ML-DSA or SLH-DSA key, whose private key is `size` bytes in the
 * form of its standard. known: set to false, and nothing is added, if the key is of another
 * type or size. On failure prints a message and returns false.
 */
bool key_lattice_add(struct key_source *from, const uint8_t *private, size_t size, bool *known);

/* Adds the seed of such a key. For ML-KEM, libcrypto gives the seeds d and z in one string. */
bool key_lattice_add_seed(struct key_source *from, const uint8_t *seed, size_t size);

#endif
