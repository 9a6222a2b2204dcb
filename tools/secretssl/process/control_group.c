/* SPDX-License-Identifier: Apache-2.0 */
#include "process/control_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/start.h"

/* Returns the path in a line of /proc/PID/cgroup, if the line is about systemd's hierarchy. */
static const char *path_in_line(const char *line)
{
    const char *controllers = strchr(line, ':');
    const char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

    if (path == NULL ||
        (path != controllers + 1 && strncmp(controllers + 1, "name=systemd:", 13) != 0))
        return NULL;
    return path + 1;
}

char *control_group_of(pid_t pid)
{
    size_t size;
    char *save, *text = process_read_file(pid, "cgroup", &size), *group = NULL;

    for (char *line = text != NULL ? strtok_r(text, "\n", &save) : NULL;
         line != NULL && group == NULL; line = strtok_r(NULL, "\n", &save)) {
        const char *path = path_in_line(line);

        if (path != NULL)
            group = strdup(path);
    }
    free(text);
    return group;
}

static bool is_at_or_below(const char *path, const char *group)
{
    size_t length = strlen(group);

    return strncmp(path, group, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool has_end(const char *text, size_t length, const char *end)
{
    size_t end_length = strlen(end);

    return length > end_length && strncmp(text + length - end_length, end, end_length) == 0;
}

char *control_group_root(void)
{
    static const char scope[] = "/init.scope";
    char *group = control_group_of(1);

    if (group != NULL && has_end(group, strlen(group), scope)) {
        group[strlen(group) - (sizeof(scope) - 1)] = '\0';
        return group;
    }
    free(group);
    return NULL;
}

bool control_group_contains(const char *group, const char *root, const char *path)
{
    return is_at_or_below(path, group) || (root != NULL && is_at_or_below(path, root) &&
                                           is_at_or_below(path + strlen(root), group));
}

/* A component of a path. systemd puts '_' before names that the kernel would misunderstand. */
struct component {
    const char *name;
    size_t length;
};

static bool component_next(const char **path, struct component *component)
{
    *path += strspn(*path, "/");
    component->length = strcspn(*path, "/");
    component->name = *path;
    *path += component->length;
    if (component->length > 0 && component->name[0] == '_') {
        component->name++;
        component->length--;
    }
    return component->length > 0 || **path != '\0';
}

void control_group_unit(const char *path, char unit[UNIT_NAME_ROOM])
{
    struct component component;

    unit[0] = '\0';
    while (component_next(&path, &component)) {
        if (component.length < UNIT_NAME_ROOM &&
            (has_end(component.name, component.length, ".service") ||
             has_end(component.name, component.length, ".scope"))) {
            memcpy(unit, component.name, component.length);
            unit[component.length] = '\0';
        }
    }
}

bool control_group_is_in_unit(const char *path, const char *unit)
{
    struct component component;

    while (component_next(&path, &component)) {
        if (component.length == strlen(unit) &&
            strncmp(component.name, unit, component.length) == 0)
            return true;
    }
    return false;
}

bool control_group_is_in_service(const char *path, const char *name)
{
    struct component component;
    size_t length = strlen(name);

    while (component_next(&path, &component)) {
        if (component.length > length && strncmp(component.name, name, length) == 0 &&
            has_end(component.name, component.length, ".service") &&
            (component.name[length] == '@' ||
             component.length == length + sizeof(".service") - 1))
            return true;
    }
    return false;
}

bool is_unit_name(const char *name)
{
    size_t length = strlen(name);

    return strchr(name, '/') == NULL && length < UNIT_NAME_ROOM &&
           (has_end(name, length, ".service") || has_end(name, length, ".scope") ||
            has_end(name, length, ".slice"));
}
