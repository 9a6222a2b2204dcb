/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the secrets of TLS sessions from a key log, as browsers, curl and `openssl s_client
 * -keylogfile` write it. Each line has a label, the client's random bytes and the secret, the
 * latter two in hexadecimal digits.
 */
#include "scan/key_source.h"

#include <ctype.h>
#include <string.h>

#include "cli/message.h"
#include "secretmem.h"

enum { SECRET_MOST = 512 };

/* Returns the next word, sets *length, and moves *at to the end of the word. */
static const char *next_word(const char **at, const char *end, size_t *length)
{
    const char *word;

    while (*at < end && (**at == ' ' || **at == '\t'))
        (*at)++;
    word = *at;
    while (*at < end && **at != ' ' && **at != '\t' && **at != '\r')
        (*at)++;
    *length = (size_t)(*at - word);
    return word;
}

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(tolower((unsigned char)c) - 'a') + 10;
}

static bool is_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return false;
    }
    return length > 0 && length % 2 == 0;
}

static bool is_label(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!isupper((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) &&
            text[i] != '_')
            return false;
    }
    return length > 0 && length < sizeof(((struct key_part *)0)->name);
}

/* Adds the secret of one line. On failure prints a message and returns false. */
static bool add_line(struct key_source *from, const char *line, const char *end, size_t number)
{
    size_t label_size, random_size, size, rest;
    const char *label = next_word(&line, end, &label_size);
    const char *random = next_word(&line, end, &random_size);
    const char *secret = next_word(&line, end, &size);
    char name[sizeof(((struct key_part *)0)->name)] = "";
    uint8_t *bytes;

    if (label_size == 0 || label[0] == '#')
        return true;
    next_word(&line, end, &rest);
    if (!is_label(label, label_size) || !is_hex(random, random_size) || !is_hex(secret, size) ||
        size > 2 * (size_t)SECRET_MOST || rest > 0) {
        say("scan: line %zu of %s is not of a key log; give lines of a label, the client's "
            "random and a secret, as SSLKEYLOGFILE has them",
            number, from->file);
        return false;
    }
    memcpy(name, label, label_size);
    bytes = secretmem_calloc(1, size / 2);
    if (bytes == NULL) {
        say("scan: out of memory");
        return false;
    }
    for (size_t i = 0; i < size / 2; i++)
        bytes[i] = (uint8_t)(digit(secret[2 * i]) << 4 | digit(secret[2 * i + 1]));
    return key_source_add(from, name, KEY_STRING, bytes, size / 2);
}

bool key_log_load(struct key_parts *keys, const char *file)
{
    struct key_source from = {.keys = keys, .file = file, .type = "session"};
    size_t size, number = 0;
    uint8_t *bytes = key_file_read(file, "TLS secrets, one in a line", &size);
    bool good = bytes != NULL;

    if (bytes == NULL)
        return false;
    for (const char *at = (const char *)bytes, *end = at + size; good && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        stop = stop != NULL ? stop : end;
        good = add_line(&from, at, stop, ++number);
        at = stop + 1;
    }
    if (good && from.taken == 0) {
        say("scan: no secret found in %s; give a key log, as SSLKEYLOGFILE names it", file);
        good = false;
    }
    secretmem_free(bytes);
    return good;
}
