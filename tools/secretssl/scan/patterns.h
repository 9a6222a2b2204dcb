/* SPDX-License-Identifier: Apache-2.0 */
/* The byte strings to search for: every private part in every encoding. */
#ifndef SECRETSSL_SCAN_PATTERNS_H
#define SECRETSSL_SCAN_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/key_parts.h"

enum encoding {
    BIG_ENDIAN_BYTES,
    LITTLE_ENDIAN_BYTES, /* also the form of BIGNUM words in memory */
    RAW_BYTES,           /* a key that is a string, as in its file */
    REVERSED_BYTES,
    DER_ELEMENT, /* big-endian or raw, behind the tag and length of an element */
    PEM_TEXT,    /* base64 */
};

const char *encoding_name(enum encoding encoding);

struct needle {
    const struct key_part *part;
    enum encoding encoding;
    size_t size;  /* bytes, or characters of base64 */
    size_t least; /* the least length that counts as a copy */
    uint8_t *bytes;
};

struct needles {
    struct needle *list;
    size_t count;
    size_t longest;
};

/*
 * Makes the needles. text false: the needles for memory as it is. text true: the base64
 * needles, for text without its line breaks. Returns false if out of
 * memory.
 */
bool needles_make(struct needles *needles, const struct key_parts *keys, bool text);

/* Frees what needles_make() has made, also where it failed. */
void needles_free(struct needles *needles);

/* The most bytes before the needle that may belong to the head of a DER element. */
enum { DER_HEAD_MOST = 32 };

/*
 * Returns true if the `before` bytes before `at` end with the tag and length of an INTEGER or
 * OCTET STRING whose value is the `size` bytes at `at`. Leading zeros are allowed.
 */
bool der_element(const uint8_t *at, size_t before, size_t size);

#endif
