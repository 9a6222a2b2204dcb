/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/stdio_key_detect.h"
#include <string.h>

/* The end of "-----BEGIN RSA PRIVATE KEY-----", and of the first line of every other kind */
static const char mark[] = "PRIVATE KEY-----";

#define MARK     (sizeof(mark) - 1)
#define SEQUENCE 0x30
#define INTEGER  0x02
#define OID      0x06

static bool marked(struct key_text *text, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size && text->matched < MARK; i++) {
        const unsigned char *first = bytes + i;
        if (text->matched == 0)
            first = memchr(bytes + i, mark[0], size - i);
        if (!first)
            break;
        i = (size_t)(first - bytes);
        /*
         * The first letter occurs once in the mark, so a mismatch starts again at this
         * character.
         */
        if (bytes[i] != (unsigned char)mark[text->matched])
            text->matched = 0;
        text->matched += bytes[i] == (unsigned char)mark[text->matched];
    }
    return text->matched == MARK;
}

/* Returns the offset after the tag and length of an element, or size + 1 if its tag differs. */
static size_t inside(const unsigned char *bytes, size_t size, size_t at, unsigned char tag)
{
    if (at + 1 >= size || bytes[at] != tag)
        return size + 1;
    return at + 2 + (bytes[at + 1] > 0x80 ? bytes[at + 1] & 0x7f : 0);
}

/*
 * A version number comes first in PKCS#1 and PKCS#8 (0), SEC1 (1), PKCS#12 (3). An algorithm
 * comes first in encrypted PKCS#8 (and in public keys, where a match does no harm).
 */
static bool is_der(const unsigned char *bytes, size_t size)
{
    size_t at = inside(bytes, size, 0, SEQUENCE);

    if (at + 2 < size && bytes[at] == INTEGER)
        return bytes[at + 1] == 1 && (bytes[at + 2] <= 1 || bytes[at + 2] == 3);
    at = inside(bytes, size, at, SEQUENCE);
    return at < size && bytes[at] == OID;
}

/* Looks byte by byte, because a key shows its kind before its first secret byte. */
static bool begins(struct key_text *text, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size && text->begun < KEY_TEXT_BEGINNING; i++) {
        text->beginning[text->begun++] = bytes[i];
        if (is_der(text->beginning, text->begun))
            return true;
    }
    return false;
}

void key_text_look(struct key_text *text, const void *bytes, size_t size)
{
    if (size > KEY_TEXT_MOST - text->looked)
        size = KEY_TEXT_MOST - text->looked;
    text->looked += size;
    if (!text->found)
        text->found = begins(text, bytes, size) || marked(text, bytes, size);
}
