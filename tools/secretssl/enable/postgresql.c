/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/postgresql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/preload_path.h"
#include "enable/text.h"

bool postgresql_starts(const struct unit *unit)
{
    static const char starter[] = "/pg_ctlcluster";
    char *program = unit_program(unit);
    bool starts = program != NULL && text_ends_with(program, starter);

    free(program);
    return starts;
}

bool postgresql_cluster(const char *unit, char *version, size_t version_room, char *cluster,
                        size_t cluster_room)
{
    const char *instance = strchr(unit, '@'), *end = strrchr(unit, '.');
    const char *dash = instance != NULL ? strchr(instance, '-') : NULL;

    if (dash == NULL || end == NULL || end < dash)
        return false;
    instance++;
    return (size_t)snprintf(version, version_room, "%.*s", (int)(dash - instance), instance) <
               version_room &&
           (size_t)snprintf(cluster, cluster_room, "%.*s", (int)(end - dash - 1), dash + 1) <
               cluster_room;
}

/* The file of postgresql@15-main.service is /etc/postgresql/15/main/environment. */
static bool environment_file(const char *unit, char path[PATH_MAX])
{
    char version[32], cluster[128];

    if (!postgresql_cluster(unit, version, sizeof(version), cluster, sizeof(cluster)))
        return false;
    snprintf(path, PATH_MAX, "/etc/postgresql/%s/%s/environment", version, cluster);
    return true;
}

static bool names_object(const char *line)
{
    return strncmp(line, "LD_PRELOAD", 10) == 0 && strstr(line, PRELOAD) != NULL;
}

bool postgresql_is_prepared(const struct opened *opened, const char *object)
{
    char path[PATH_MAX];

    if (!postgresql_starts(&opened->unit) || !environment_file(opened->name, path) ||
        file_has_line(path, names_object))
        return true;
    say("enable: pg_ctlcluster starts the server of %s without the unit's environment; add "
        "LD_PRELOAD = '%s' and SECRETSSL_REQUIRE = '1', each on a line of its own, to %s first",
        opened->name, object, path);
    return false;
}
