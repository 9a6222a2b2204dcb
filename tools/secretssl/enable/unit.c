/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/unit.h"

#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "enable/child.h"
#include "process/list.h"

#define PROPERTIES                                                                             \
    "Id,LoadState,ActiveState,Type,MainPID,ControlGroup,User,DynamicUser,Environment,"         \
    "EnvironmentFiles,UnsetEnvironment,ExecStart,ExecStartPost,RootDirectory,RootImage,"       \
    "ProtectHome,PrivateTmp,NoNewPrivileges,SystemCallFilter,LimitMEMLOCK,Transient,"          \
    "AppArmorProfile,DropInPaths,FragmentPath,InvocationID"

bool unit_parse(char *text, struct unit *unit)
{
    char *save;

    *unit = (struct unit){.text = text};
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char *equals = strchr(line, '=');
        struct property *more = list_grown(unit->list, unit->count, sizeof(*more));

        if (more == NULL)
            return false;
        unit->list = more;
        if (equals == NULL)
            continue;
        *equals = '\0';
        more[unit->count++] = (struct property){line, equals + 1};
    }
    return true;
}

bool unit_read(const char *command, const char *name, struct unit *unit)
{
    const char *const argv[] = {"systemctl", "show", "--property=" PROPERTIES,
                                "--",        name,   NULL};
    char *text;
    int status = child_read(argv, NULL, 1, &text);

    *unit = (struct unit){.text = text};
    if (status == 0 && text != NULL && unit_parse(text, unit))
        return true;
    if (status != 0)
        say("%s: 'systemctl show %s' failed with status %d; is systemd running?", command, name,
            status);
    else
        say("%s: out of memory", command);
    return false;
}

void unit_free(struct unit *unit)
{
    free(unit->list);
    free(unit->text);
    *unit = (struct unit){.list = NULL};
}

const char *unit_next(const struct unit *unit, const char *name, size_t *at)
{
    while (*at < unit->count) {
        const struct property *property = &unit->list[(*at)++];

        if (strcmp(property->name, name) == 0)
            return property->value;
    }
    return NULL;
}

const char *unit_get(const struct unit *unit, const char *name)
{
    size_t at = 0;
    const char *value = unit_next(unit, name, &at);

    return value != NULL ? value : "";
}

bool unit_is(const struct unit *unit, const char *name, const char *value)
{
    return strcmp(unit_get(unit, name), value) == 0;
}

bool unit_is_active(const struct unit *unit)
{
    return unit_is(unit, "ActiveState", "active") ||
           unit_is(unit, "ActiveState", "activating") ||
           unit_is(unit, "ActiveState", "reloading");
}

pid_t unit_main_pid(const struct unit *unit)
{
    return (pid_t)strtol(unit_get(unit, "MainPID"), NULL, 10);
}

char *unit_program(const struct unit *unit)
{
    static const char begin[] = "{ path=", end[] = " ; argv[]=";
    const char *value = unit_get(unit, "ExecStart");
    const char *stop = strstr(value, end);

    if (strncmp(value, begin, sizeof(begin) - 1) != 0 || stop == NULL)
        return NULL;
    value += sizeof(begin) - 1;
    return strndup(value, (size_t)(stop - value));
}

/*
 * Copies one word of a list to *word, which has room for it, and returns the rest. A word is
 * plain, or between double quotes, or between $' and '.
 */
static const char *word_read(const char *at, char *word)
{
    char quote = '\0';

    if (*at == '"')
        quote = *at++;
    else if (strncmp(at, "$'", 2) == 0)
        quote = '\'', at += 2;
    while (*at != '\0' && *at != (quote != '\0' ? quote : ' ')) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        *word++ = *at++;
    }
    *word = '\0';
    if (*at != '\0' && quote != '\0')
        at++;
    return at + strspn(at, " ");
}

bool unit_assigns(const char *list, const char *variable, char **value)
{
    size_t length = strlen(variable);
    char *word = malloc(strlen(list) + 1);
    bool found = false;

    *value = NULL;
    while (word != NULL && *list != '\0') {
        list = word_read(list, word);
        if (strncmp(word, variable, length) != 0 || word[length] != '=')
            continue;
        free(*value);
        *value = strdup(word + length + 1);
        found = true;
    }
    free(word);
    return found;
}

bool unit_list_has(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == list || at[-1] == ' ') && strchr(" :", at[length]) != NULL)
            return true;
    }
    return false;
}
