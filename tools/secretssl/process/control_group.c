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

char *control_group_of(pid_t thread)
{
    size_t size;
    char *save, *text = process_read_file(thread, "cgroup", &size), *group = NULL;

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

/*
 * Returns the control group that systemd calls "/". It is not the root if this process is
 * outside of the namespace of systemd's control groups. Returns "" if it is the root.
 */
static const char *manager_root(void)
{
    static const char scope[] = "/init.scope";
    static char *root;

    if (root != NULL)
        return root;
    root = control_group_of(1);
    if (root != NULL && has_end(root, strlen(root), scope)) {
        root[strlen(root) - (sizeof(scope) - 1)] = '\0';
    } else {
        free(root);
        root = strdup("");
    }
    return root != NULL ? root : "";
}

/* Returns the path as systemd sees it. */
static const char *below_manager(const char *path)
{
    const char *root = manager_root();

    return is_at_or_below(path, root) ? path + strlen(root) : path;
}

bool control_group_contains(const char *group, const char *path)
{
    return is_at_or_below(path, group) || is_at_or_below(below_manager(path), group);
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
    return component->length > 0;
}

static bool is_slice(const struct component *component)
{
    return has_end(component->name, component->length, ".slice");
}

/* Finds the unit of a path: the first component that is no slice. */
static bool unit_find(const char *path, struct component *unit)
{
    path = below_manager(path);
    while (component_next(&path, unit)) {
        if (!is_slice(unit))
            return has_end(unit->name, unit->length, ".service") ||
                   has_end(unit->name, unit->length, ".scope");
    }
    return false;
}

void control_group_unit(const char *path, char unit[UNIT_NAME_ROOM])
{
    struct component found;

    unit[0] = '\0';
    if (unit_find(path, &found) && found.length < UNIT_NAME_ROOM) {
        memcpy(unit, found.name, found.length);
        unit[found.length] = '\0';
    }
}

static bool is_called(const struct component *component, const char *name)
{
    return component->length == strlen(name) &&
           strncmp(component->name, name, component->length) == 0;
}

bool control_group_is_in_unit(const char *path, const char *unit)
{
    struct component component;

    if (!has_end(unit, strlen(unit), ".slice"))
        return unit_find(path, &component) && is_called(&component, unit);
    path = below_manager(path);
    while (component_next(&path, &component) && is_slice(&component)) {
        if (is_called(&component, unit))
            return true;
    }
    return false;
}

bool control_group_is_in_service(const char *path, const char *name)
{
    struct component unit;
    size_t length = strlen(name);

    return unit_find(path, &unit) && unit.length > length &&
           strncmp(unit.name, name, length) == 0 &&
           has_end(unit.name, unit.length, ".service") &&
           (unit.name[length] == '@' || unit.length == length + sizeof(".service") - 1);
}

bool is_unit_name(const char *name)
{
    size_t length = strlen(name);

    return strchr(name, '/') == NULL && length < UNIT_NAME_ROOM &&
           (has_end(name, length, ".service") || has_end(name, length, ".scope") ||
            has_end(name, length, ".slice"));
}
