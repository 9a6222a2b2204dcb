/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"

/* Returns the size in bytes of the UTF-8 character at text, or 0 if it is not valid. */
static size_t character_size(const char *text)
{
    for (size_t length = 1; length <= 4 && text[length - 1] != '\0'; length++) {
        json_t *string = json_stringn(text, length);

        json_decref(string);
        if (string != NULL)
            return length;
    }
    return 0;
}

json_t *json_text(const char *from)
{
    json_t *string = json_string(from);
    char *valid;

    if (string != NULL || (valid = strdup(from)) == NULL)
        return string;
    for (char *at = valid; *at != '\0';) {
        size_t length = character_size(at);

        if (length == 0)
            *at = '?';
        at += length > 0 ? length : 1;
    }
    string = json_string(valid);
    free(valid);
    return string;
}

bool json_print(const char *command, json_t *root)
{
    bool good = root != NULL && json_dumpf(root, stdout, JSON_INDENT(2)) == 0;

    if (root == NULL)
        say("%s: out of memory", command);
    json_decref(root);
    return good && putchar('\n') != EOF && output_written();
}
