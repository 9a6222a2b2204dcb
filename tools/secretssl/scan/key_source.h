/* SPDX-License-Identifier: Apache-2.0 */
/* How the private parts of one key are put into the list of all. */
#ifndef SECRETSSL_SCAN_KEY_SOURCE_H
#define SECRETSSL_SCAN_KEY_SOURCE_H

#include "scan/key_parts.h"

/* The key that parts are being taken from. */
struct key_source {
    struct key_parts *keys;
    const char *file;
    const char *type; /* libcrypto's name */
    size_t taken;     /* parts it has, new or not */
};

/* Takes bytes over. False after a message. */
bool key_source_add(struct key_source *from, const char *name, enum key_form form,
                    uint8_t *bytes, size_t size);

/*
 * The parts of a key of ML-KEM, ML-DSA or SLH-DSA, whose private key is `size` bytes in its
 * standard's form. known: is it one? If not, nothing is added. False after a message.
 */
bool key_lattice_add(struct key_source *from, const uint8_t *private, size_t size, bool *known);

/* With the seed that such a key was made from, of which libcrypto gives d and z together. */
bool key_lattice_add_seed(struct key_source *from, const uint8_t *seed, size_t size);

#endif
