/* SPDX-License-Identifier: Apache-2.0 */
#include "library.h"
#include "common.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

void check_library(void *handle, const char *what)
{
    void *(*take)(size_t) = (void *(*)(size_t))symbol(handle, "fake_take");
    void (*give)(void *) = (void (*)(void *))symbol(handle, "fake_give");
    malloc_fn *m = (malloc_fn *)symbol(handle, "CRYPTO_malloc");
    realloc_fn *r = (realloc_fn *)symbol(handle, "CRYPTO_realloc");
    free_fn *f = (free_fn *)symbol(handle, "CRYPTO_free");
    void *block = take(100), *other = m(100, __FILE__, __LINE__);

    check_kind(block, what);
    check_kind(other, "a block from its CRYPTO_malloc");
    give(other);
    block = r(block, 5000, __FILE__, __LINE__);
    check_kind(block, "the block, moved");
    f(block, __FILE__, __LINE__);
    f(r(strdup("the C library's"), 1000, __FILE__, __LINE__), __FILE__, __LINE__);
}
