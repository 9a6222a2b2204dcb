/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/unit_name.h"

#include <stdio.h>
#include <string.h>

#include "enable/text.h"

#define SUFFIX ".service"

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789:-_.\\@";

static const char *const other_kinds[] = {".socket", ".target", ".timer", ".path",  ".slice",
                                          ".scope",  ".mount",  ".swap",  ".device"};

const char *unit_name_make(const char *text, char name[UNIT_NAME_ROOM])
{
    bool has_suffix = text_ends_with(text, SUFFIX);
    const char *at = strchr(text, '@');

    if (text[0] == '\0' || text[0] == '.' || text[0] == '@' ||
        text[strspn(text, letters)] != '\0')
        return "is not the name of a unit; give a name as 'systemctl list-units' shows it";
    for (size_t i = 0; i < sizeof(other_kinds) / sizeof(other_kinds[0]); i++) {
        if (text_ends_with(text, other_kinds[i]))
            return "is not a service; give the service that runs the program";
    }
    if (snprintf(name, UNIT_NAME_ROOM, "%s%s", text, has_suffix ? "" : SUFFIX) >=
        UNIT_NAME_ROOM)
        return "is too long for the name of a unit; give at most 255 characters";
    if (at != NULL && (at[1] == '\0' || strcmp(at + 1, SUFFIX) == 0))
        return "is a template; give an instance of it, as NAME@INSTANCE";
    return NULL;
}
