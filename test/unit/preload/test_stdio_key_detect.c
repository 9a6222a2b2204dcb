/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/stdio_key_detect.h"
#include <criterion/criterion.h>
#include <string.h>

static bool is_key(const void *bytes, size_t size, size_t piece)
{
    struct key_text text = {0};

    for (size_t at = 0; at < size; at += piece)
        key_text_look(&text, (const char *)bytes + at, size - at < piece ? size - at : piece);
    return text.found;
}

static bool text_is_key(const char *text, size_t piece)
{
    return is_key(text, strlen(text), piece);
}

Test(key_text, marks)
{
    static const char *const keys[] = {
        "-----BEGIN PRIVATE KEY-----\nMC4C\n",
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nPRIVATE KEY----\n-----BEGIN PRIVATE KEY-----\n",
        "PRIVATE KEPRIVATE KEY-----",
        "PPRIVATE KEY-----",
    };
    static const char *const others[] = {
        "-----BEGIN CERTIFICATE-----\nMIIB\n",
        "-----BEGIN PUBLIC KEY-----\n",
        "PRIVATE KEY----",
        "PRIVATE KEY----\n-",
        "",
    };

    for (size_t piece = 1; piece < 40; piece++) {
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            cr_expect(text_is_key(keys[i], piece), "%s in pieces of %zu", keys[i], piece);
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
            cr_expect(!text_is_key(others[i], piece), "%s in pieces of %zu", others[i], piece);
    }
}

#define EXPECT(wanted, ...)                                                                    \
    do {                                                                                       \
        static const unsigned char bytes[] = {__VA_ARGS__};                                    \
        for (size_t piece = 1; piece <= sizeof(bytes); piece++)                                \
            cr_expect_eq(is_key(bytes, sizeof(bytes), piece), wanted);                         \
    } while (0)

Test(key_text, der)
{
    EXPECT(true, 0x30, 0x82, 0x04, 0xa4, 0x02, 0x01, 0x00, 0x02);           /* PKCS#1 */
    EXPECT(true, 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05);                 /* PKCS#8 */
    EXPECT(true, 0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05);                 /* RFC 5958 */
    EXPECT(true, 0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20);                 /* SEC1 */
    EXPECT(true, 0x30, 0x82, 0x09, 0x3f, 0x02, 0x01, 0x03, 0x30);           /* PKCS#12 */
    EXPECT(true, 0x30, 0x82, 0x05, 0x2d, 0x30, 0x57, 0x06, 0x09);           /* encrypted */
    EXPECT(true, 0x30, 0x81, 0xec, 0x30, 0x57, 0x06, 0x09);                 /* the same */
    EXPECT(false, 0x30, 0x82, 0x03, 0x05, 0x30, 0x82, 0x01, 0xed, 0xa0, 3); /* certificate */
    EXPECT(false, 0x30, 0x82, 0x01, 0x08, 0x02, 0x82, 0x01, 0x01, 0x00);    /* parameters */
    EXPECT(false, 0x30, 0x82, 0x02, 0x02, 0x02, 0x01, 0x02); /* another version */
    EXPECT(false, 0x30, 0x80);
    EXPECT(false, 0x30);
    EXPECT(false, 0x02, 0x01, 0x00);
}

/* What begins so in the middle is none. */
/* What is read far into a file is data. */
Test(key_text, not_far_behind)
{
    static const char key[] = "-----BEGIN PRIVATE KEY-----\n";
    static char text[KEY_TEXT_MOST + sizeof(key)];

    memset(text, 'x', sizeof(text));
    memcpy(text + KEY_TEXT_MOST - sizeof(key), key, sizeof(key) - 1);
    cr_expect(is_key(text, sizeof(text), 5000));
    memset(text, 'P', sizeof(text));
    memcpy(text + KEY_TEXT_MOST - 5, key, sizeof(key) - 1);
    cr_expect(!is_key(text, sizeof(text), 5000));
}

Test(key_text, not_in_the_middle)
{
    static const unsigned char bytes[] = {0x31, 0x00, 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30};

    cr_expect_not(is_key(bytes, sizeof(bytes), 2));
}
