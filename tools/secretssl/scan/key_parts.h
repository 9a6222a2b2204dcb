/* SPDX-License-Identifier: Apache-2.0 */
/* The private parts of keys, which libcrypto reads from key files. */
#ifndef SECRETSSL_SCAN_KEY_PARTS_H
#define SECRETSSL_SCAN_KEY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_form {
    KEY_STRING,
    KEY_INTEGER, /* a big-endian number without leading zeros */
    KEY_WORDS,   /* the form in memory, searched in no other form */
};

struct key_part {
    const char *file; /* the name that the user gave */
    char type[24];    /* libcrypto's name: RSA, EC, X25519, ... */
    char name[40];    /* d, p, q, dP, dQ, qInv, ..., or private; the label in a key log */
    enum key_form form;
    size_t size;
    uint8_t *bytes; /* in secret memory */
};

struct key_parts {
    struct key_part *parts;
    size_t count;
    bool incomplete; /* a key may have parts that this program does not know */
};

/* The least size of a part. Shorter parts would match by chance. */
enum { KEY_PART_LEAST = 16 };

/*
 * Adds the parts of every private key in file (PEM, DER, PKCS#12, or OpenSSH's own form), and
 * no part twice. passphrase may be NULL. On failure prints a message and returns false.
 */
bool key_parts_load(struct key_parts *keys, const char *file, const char *passphrase);

/* Frees all parts. */
void key_parts_free(struct key_parts *keys);

/* As key_parts_load(), for the secrets of TLS sessions in a key log (SSLKEYLOGFILE). */
bool key_log_load(struct key_parts *keys, const char *file);

/*
 * Reads the whole file into secret memory, with a zero byte after it. wanted: the expected
 * content, named in the message. On failure prints a message and returns NULL.
 */
uint8_t *key_file_read(const char *file, const char *wanted, size_t *size);

#endif
