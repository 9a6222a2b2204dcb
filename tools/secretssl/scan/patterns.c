/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/patterns.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "secretmem.h"

const char *encoding_name(enum encoding encoding)
{
    static const char *const names[] = {
        [BIG_ENDIAN_BYTES] = "big-endian",
        [LITTLE_ENDIAN_BYTES] = "little-endian",
        [RAW_BYTES] = "raw",
        [REVERSED_BYTES] = "reversed",
        [DER_ELEMENT] = "DER",
        [PEM_TEXT] = "PEM",
    };

    return names[encoding];
}

/*
 * Returns the least length that counts as a copy: half of the whole, but not so short that
 * chance would match. A copy may have lost an end, because an allocator writes its pointers
 * into freed memory.
 */
static size_t least_of(size_t size)
{
    return size / 2 > KEY_PART_LEAST ? size / 2 : KEY_PART_LEAST;
}

static struct needle *pattern_add(struct needles *needles, const struct key_part *part,
                                  enum encoding encoding, size_t size)
{
    struct needle *needle = &needles->list[needles->count];

    /* One byte more, because EVP_EncodeBlock() appends a zero byte. */
    *needle = (struct needle){.part = part,
                              .encoding = encoding,
                              .size = size,
                              .least = least_of(size),
                              .bytes = secretmem_calloc(1, size + 1)};
    if (needle->bytes == NULL)
        return NULL;
    needles->count++;
    if (size > needles->longest)
        needles->longest = size;
    return needle;
}

/*
 * Numbers have no leading zeros here. Fixed-width forms contain the same bytes, with zeros on
 * either side.
 */
static bool add_bytes(struct needles *needles, const struct key_part *part)
{
    struct needle *needle = pattern_add(
        needles, part, part->form == KEY_INTEGER ? BIG_ENDIAN_BYTES : RAW_BYTES, part->size);

    if (needle == NULL)
        return false;
    memcpy(needle->bytes, part->bytes, part->size);
    if (part->form == KEY_WORDS)
        return true;

    needle = pattern_add(needles, part,
                         part->form == KEY_INTEGER ? LITTLE_ENDIAN_BYTES : REVERSED_BYTES,
                         part->size);
    if (needle == NULL)
        return false;
    for (size_t i = 0; i < part->size; i++)
        needle->bytes[i] = part->bytes[part->size - 1 - i];
    return true;
}

/*
 * Base64 encodes three bytes at a time, and the part may begin at any of the three. So any file
 * with the part contains one of three texts, except for the characters that the part shares
 * with its neighbours.
 */
static bool pattern_add_text(struct needles *needles, const struct key_part *part)
{
    if (part->form == KEY_WORDS)
        return true;
    for (size_t skip = 0; skip < 3; skip++) {
        size_t whole = (part->size - skip) / 3;
        struct needle *needle = pattern_add(needles, part, PEM_TEXT, whole * 4);

        if (needle == NULL)
            return false;
        EVP_EncodeBlock(needle->bytes, part->bytes + skip, (int)(whole * 3));
    }
    return true;
}

bool needles_make(struct needles *needles, const struct key_parts *keys, bool text)
{
    size_t each = text ? 3 : 2;

    bool good;

    *needles = (struct needles){.list = calloc(keys->count * each, sizeof(*needles->list))};
    good = needles->list != NULL;
    for (size_t i = 0; good && i < keys->count; i++)
        good = text ? pattern_add_text(needles, &keys->parts[i])
                    : add_bytes(needles, &keys->parts[i]);
    return good;
}

void needles_free(struct needles *needles)
{
    for (size_t i = 0; i < needles->count; i++)
        secretmem_free(needles->list[i].bytes);
    free(needles->list);
}

/* Returns true if the bytes before `at` end with this tag and the length `size`. */
static bool der_head(const uint8_t *at, size_t before, uint8_t tag, size_t size)
{
    uint8_t head[2 + sizeof(size)];
    size_t length = 0;

    head[length++] = tag;
    if (size < 0x80) {
        head[length++] = (uint8_t)size;
    } else {
        size_t octets = 1;

        while (octets < sizeof(size) && size >> (8 * octets) != 0)
            octets++;
        head[length++] = (uint8_t)(0x80 | octets);
        while (octets-- > 0)
            head[length++] = (uint8_t)(size >> (8 * octets));
    }
    return length <= before && memcmp(at - length, head, length) == 0;
}

bool der_element(const uint8_t *at, size_t before, size_t size)
{
    enum { INTEGER = 0x02, OCTET_STRING = 0x04 };

    if (before > DER_HEAD_MOST)
        before = DER_HEAD_MOST;
    for (;;) {
        if (der_head(at, before, INTEGER, size) || der_head(at, before, OCTET_STRING, size))
            return true;
        if (before == 0 || at[-1] != 0)
            return false;
        at--;
        before--;
        size++;
    }
}
