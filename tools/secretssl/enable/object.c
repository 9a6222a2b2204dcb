/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/object.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/preload_path.h"
#include "enable/child.h"

/* Returns true if a program starts with this LD_PRELOAD, and ld.so prints nothing about it. */
static bool object_loads(const char *value)
{
    static const char *const argv[] = {"/proc/self/exe", "--version", NULL};
    const char *environment[] = {NULL, NULL};
    char *variable, *output;
    bool good;

    if (asprintf(&variable, "LD_PRELOAD=%s", value) < 0)
        return false;
    environment[0] = variable;
    good = child_read(argv, environment, 2, &output) == 0 && output != NULL &&
           strstr(output, "ld.so") == NULL;
    free(output);
    free(variable);
    return good;
}

/* Cuts the last component off the path, and returns where it began. */
static char *cut_component(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash != NULL)
        *slash = '\0';
    return slash;
}

/* Returns the path with $LIB in the place of its last `components` directories, or NULL. */
static char *with_lib(const char *object, int components)
{
    char *path = strdup(object), *value = NULL;
    bool good = path != NULL && cut_component(path) != NULL;

    while (good && components-- > 0)
        good = cut_component(path) != NULL;
    if (good && asprintf(&value, "%s/$LIB/" PRELOAD, path) < 0)
        value = NULL;
    free(path);
    return value;
}

char *object_for_unit(const char *object)
{
    /* $LIB is lib/x86_64-linux-gnu, or lib64. */
    for (int components = 2; components > 0; components--) {
        char *value = with_lib(object, components);

        if (value != NULL && object_loads(value))
            return value;
        free(value);
    }
    return object_loads(object) ? strdup(object) : NULL;
}
