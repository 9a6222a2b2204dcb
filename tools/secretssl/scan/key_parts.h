/* SPDX-License-Identifier: Apache-2.0 */
/* The private parts of keys, taken from key files with libcrypto. */
#ifndef SECRETSSL_SCAN_KEY_PARTS_H
#define SECRETSSL_SCAN_KEY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_form {
    KEY_STRING,
    KEY_INTEGER, /* a big-endian number without leading zeros */
    KEY_WORDS,   /* as it lies in memory, and in no other form */
};

struct key_part {
    const char *file; /* as the user named it */
    char type[24];    /* libcrypto's name: RSA, EC, X25519, ... */
    char name[40];    /* d, p, q, dP, dQ, qInv, ..., or private; the label in a key log */
    enum key_form form;
    size_t size;
    uint8_t *bytes; /* in secret memory */
};

struct key_parts {
    struct key_part *parts;
    size_t count;
    bool incomplete; /* some key may have parts that are not known here */
};

/* Shorter parts would be found by chance. */
enum { KEY_PART_LEAST = 16 };

/*
 * Adds the parts of every private key in file (PEM, DER or PKCS#12); parts that are there
 * already are not added twice. passphrase may be NULL. False after a message on stderr.
 */
bool key_parts_load(struct key_parts *keys, const char *file, const char *passphrase);

/*
 * The same for the secrets of TLS sessions in a key log (SSLKEYLOGFILE).
 */
bool key_log_load(struct key_parts *keys, const char *file);

/*
 * Reads all of file into secret memory, with a zero byte after it. wanted: what the file should
 * hold, for the message after which NULL is returned.
 */
uint8_t *key_file_read(const char *file, const char *wanted, size_t *size);

#endif
