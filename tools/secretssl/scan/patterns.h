/* SPDX-License-Identifier: Apache-2.0 */
/* The byte strings to look for: every private part in every encoding. */
#ifndef SECRETSSL_SCAN_PATTERNS_H
#define SECRETSSL_SCAN_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/key_parts.h"

enum encoding {
    BIG_ENDIAN_BYTES,
    LITTLE_ENDIAN_BYTES, /* also how BIGNUM words lie in memory */
    RAW_BYTES,           /* a key that is a string, as it is in its file */
    REVERSED_BYTES,
    DER_ELEMENT, /* big-endian or raw, behind the tag and length of an element */
    PEM_TEXT,    /* base64 */
};

const char *encoding_name(enum encoding encoding);

struct needle {
    const struct key_part *part;
    enum encoding encoding;
    size_t size;  /* bytes, or characters of base64 */
    size_t least; /* how much of it must be there to count as a copy */
    uint8_t *bytes;
};

struct needles {
    struct needle *list;
    size_t count;
    size_t longest;
};

/*
 * text false: the needles to look for in memory as it is; true: the base64 ones, to look for
 * in text without its line breaks. False without memory, after a message.
 */
bool needles_make(struct needles *needles, const struct key_parts *keys, bool text);

/* How many bytes before the needle may belong to a DER element's head. */
enum { DER_HEAD_MOST = 32 };

/*
 * Do the bytes before at (there are `before` of them) end with the tag and length of an
 * INTEGER or OCTET STRING whose value is those `size` bytes at `at`, leading zeros allowed?
 */
bool der_element(const uint8_t *at, size_t before, size_t size);

#endif
