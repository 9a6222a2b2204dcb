/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/config_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool in_comment(const char *text, const char *at)
{
    while (at > text && at[-1] != '\n') {
        if (*--at == '#')
            return true;
    }
    return false;
}

/* Returns the directive's next value from `from` on, or NULL. */
static const char *next_value(const char *text, const char *from, const char *directive)
{
    size_t length = strlen(directive);

    for (const char *at = from; (at = strcasestr(at, directive)) != NULL; at += length) {
        const char *value = at + length + strspn(at + length, " \t");

        if ((at == text || strchr(" \t\n{;", at[-1]) != NULL) && value > at + length &&
            *value != '\n' && *value != '\0' && !in_comment(text, at))
            return value;
    }
    return NULL;
}

unsigned config_count(const char *text, const char *directive)
{
    unsigned count = 0;

    for (const char *at = text; (at = next_value(text, at, directive)) != NULL;)
        count++;
    return count;
}

uint64_t config_most(const char *text, const char *directive)
{
    uint64_t most = 0;

    for (const char *at = text; (at = next_value(text, at, directive)) != NULL;) {
        uint64_t value = strtoull(at, NULL, 10);

        if (*at != '-' && value > most)
            most = value;
    }
    return most;
}

bool config_has(const char *text, const char *directive, const char *begin)
{
    for (const char *at = text; (at = next_value(text, at, directive)) != NULL;) {
        if (strncmp(at, begin, strlen(begin)) == 0)
            return true;
    }
    return false;
}
