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

#define CALLER __builtin_return_address(0)

/* Not inlined: the path is off a small stack again when the libcryptos are looked for. */
static __attribute__((noinline)) void *open_here(const char *file, int mode, const void *caller)
{
    void *(*next)(const char *, int) = (void *(*)(const char *, int))next_function(NEXT_DLOPEN);
    char path[PATH_MAX];

    if (file && search_for_caller(file, caller, true, path))
        return next(path, mode);
    return next(file, mode);
}

static __attribute__((noinline)) void *open_in(Lmid_t space, const char *file, int mode,
                                               const void *caller)
{
    void *(*next)(Lmid_t, const char *, int) =
        (void *(*)(Lmid_t, const char *, int))next_function(NEXT_DLMOPEN);
    char path[PATH_MAX];

    if (file && search_for_caller(file, caller, space == LM_ID_BASE, path))
        return next(space, path, mode);
    return next(space, file, mode);
}

/* As dlopen(3). */
SM_EXPORT void *dlopen(const char *file, int mode)
{
    void *handle;

    libcrypto_load_begin();
    handle = open_here(file, mode, CALLER);
    libcrypto_load_end();
    if (handle)
        libcrypto_look();
    return handle;
}

/* As dlmopen(3). */
SM_EXPORT void *dlmopen(Lmid_t space, const char *file, int mode)
{
    void *handle;

    libcrypto_load_begin();
    handle = open_in(space, file, mode, CALLER);
    libcrypto_load_end();
    if (handle && space == LM_ID_BASE)
        libcrypto_look();
    else if (handle)
        libcrypto_look_elsewhere(handle);
    return handle;
}
