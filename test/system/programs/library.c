/* SPDX-License-Identifier: Apache-2.0 */
#include "library.h"
#include "common.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *beside(const char *name)
{
    static char directory[PATH_MAX], path[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", directory, sizeof(directory) - 1);

    if (length < 0)
        broken("readlink");
    directory[length] = '\0';
    snprintf(path, sizeof(path), "%s/%s", dirname(directory), name);
    return path;
}

void *opened(const char *file, int mode)
{
    void *handle = dlopen(file, mode);

    if (!handle) {
        check(false, "%s", dlerror());
        exit(1);
    }
    return handle;
}

void *symbol(void *handle, const char *name)
{
    void *found = dlsym(handle, name);

    if (!found) {
        check(false, "%s", dlerror());
        exit(1);
    }
    return found;
}
