/* SPDX-License-Identifier: Apache-2.0 */
/* Keys for the tests, their private parts and the files they come in. */
#ifndef SECRETSSL_TEST_KEYS_H
#define SECRETSSL_TEST_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

enum { PARTS_MOST = 9, BLOB_MOST = 8 };

/* One private part. Numbers have the width that files give them, leading zeros included. */
struct part {
    const char *name;
    uint8_t bytes[1024];
    uint8_t reversed[1024];
    size_t size;
    int integer;
};

/* Something that holds every part once. */
struct blob {
    const char *encoding; /* as the tool should name it */
    char *bytes;
    size_t size;
};

struct test_key {
    EVP_PKEY *pkey;
    struct part parts[PARTS_MOST];
    size_t part_count;
    struct blob blobs[BLOB_MOST];
    size_t blob_count;
};

/* name: rsa and a number of bits, rsa3prime, P-256, P-521, X25519, ED25519, X448, ED448. */
struct test_key *make_key(const char *name);

/* The same of a key that is there already. */
struct test_key *take_key(EVP_PKEY *pkey);

/* Writes the key as PKCS#8 PEM. */
void write_key(const struct test_key *key, const char *file);

#endif
