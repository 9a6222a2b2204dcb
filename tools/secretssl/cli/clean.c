/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/clean.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct character {
    uint32_t code;
    size_t length; /* bytes; 0: it is not UTF-8 */
};

/* Decodes the first character. A zero ends the text, and is no byte of a longer character. */
static struct character character_at(const unsigned char *at)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xc0 ? 0
                    : at[0] < 0xe0 ? 2
                    : at[0] < 0xf0 ? 3
                    : at[0] < 0xf8 ? 4
                                   : 0;
    uint32_t code = length == 1 ? at[0] : at[0] & (0x7fU >> length);

    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return (struct character){0, 0};
        code = code << 6 | (at[i] & 0x3f);
    }
    if (length == 0 || code < least[length] || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
        return (struct character){0, 0};
    return (struct character){code, length};
}

static bool is_harmless(uint32_t code)
{
    bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    bool line_end = code == 0x2028 || code == 0x2029;
    bool direction = code == 0x061c || (code >= 0x200e && code <= 0x200f) ||
                     (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);

    return !control && !line_end && !direction;
}

void clean_text(char *text)
{
    while (*text != '\0') {
        struct character character = character_at((const unsigned char *)text);
        size_t length = character.length > 0 ? character.length : 1;

        if (character.length == 0 || !is_harmless(character.code))
            memset(text, '?', length);
        text += length;
    }
}

void put_clean(const char *text)
{
    char shown[512];

    snprintf(shown, sizeof(shown), "%s", text);
    clean_text(shown);
    fputs(shown, stdout);
}
