/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlopen() and dlmopen() as the program sees them: a libcrypto that came along is hooked
 * before the caller gets its handle. The C library takes who calls it for the object on
 * whose behalf it searches, so that is done here (search.c). See docs/coverage.md.
 */
#include "common.h"
#include "libcrypto.h"
#include "next.h"
#include "search.h"
#include <dlfcn.h>

void *dlopen(const char *file, int mode);
void *dlmopen(Lmid_t space, const char *file, int mode);

/* As dlopen(3). */
SM_EXPORT void *dlopen(const char *file, int mode)
{
    static void *cached;
    void *(*next)(const char *, int) =
        (void *(*)(const char *, int))next_function(&cached, "dlopen");
    char path[PATH_MAX];
    void *handle;

    if (file && search_for_caller(file, __builtin_return_address(0), path))
        handle = next(path, mode);
    else
        handle = next(file, mode);
    if (handle)
        libcrypto_look();
    return handle;
}

/* As dlmopen(3). */
SM_EXPORT void *dlmopen(Lmid_t space, const char *file, int mode)
{
    static void *cached;
    void *(*next)(Lmid_t, const char *, int) =
        (void *(*)(Lmid_t, const char *, int))next_function(&cached, "dlmopen");
    char path[PATH_MAX];
    void *handle;

    if (file && search_for_caller(file, __builtin_return_address(0), path))
        handle = next(space, path, mode);
    else
        handle = next(space, file, mode);
    if (handle && space == LM_ID_BASE)
        libcrypto_look();
    else if (handle)
        libcrypto_look_elsewhere(handle);
    return handle;
}
