/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"

json_t *json_text(const char *from)
{
    json_t *string = json_string(from);
    char *ascii;

    if (string != NULL || (ascii = strdup(from)) == NULL)
        return string;
    for (char *c = ascii; *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    }
    string = json_string(ascii);
    free(ascii);
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
