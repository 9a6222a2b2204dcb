/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/postgresql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/preload_path.h"

bool postgresql_starts(const struct unit *unit)
{
    static const char starter[] = "/pg_ctlcluster";
    char *program = unit_program(unit);
    const char *slash = program != NULL ? strrchr(program, '/') : NULL;
    bool starts = slash != NULL && strcmp(slash, starter) == 0;

    free(program);
    return starts;
}

/* The file of postgresql@15-main.service is /etc/postgresql/15/main/environment. */
static bool environment_file(const char *unit, char path[PATH_MAX])
{
    const char *instance = strchr(unit, '@'), *end = strrchr(unit, '.');
    const char *dash = instance != NULL ? strchr(instance, '-') : NULL;

    if (dash == NULL || end == NULL || end < dash)
        return false;
    instance++;
    snprintf(path, PATH_MAX, "/etc/postgresql/%.*s/%.*s/environment", (int)(dash - instance),
             instance, (int)(end - dash - 1), dash + 1);
    return true;
}

static bool file_names_object(const char *path)
{
    FILE *stream = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    bool found = false;

    while (stream != NULL && !found && getline(&line, &room, stream) > 0) {
        const char *at = line + strspn(line, " \t");

        found = strncmp(at, "LD_PRELOAD", 10) == 0 && strstr(at, PRELOAD) != NULL;
    }
    free(line);
    if (stream != NULL)
        fclose(stream);
    return found;
}

bool postgresql_is_prepared(const struct opened *opened, const char *object)
{
    char path[PATH_MAX];

    if (!postgresql_starts(&opened->unit) || !environment_file(opened->name, path) ||
        file_names_object(path))
        return true;
    say("enable: pg_ctlcluster starts the server of %s without the unit's environment; add "
        "LD_PRELOAD = '%s' and SECRETSSL_REQUIRE = '1', each on a line of its own, to %s first",
        opened->name, object, path);
    return false;
}
