/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

bool file_has_line(const char *path, bool (*is_it)(const char *line))
{
    FILE *stream = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    bool found = false;

    while (stream != NULL && !found && getline(&line, &room, stream) > 0)
        found = is_it(line + strspn(line, " \t"));
    free(line);
    if (stream != NULL)
        fclose(stream);
    return found;
}
