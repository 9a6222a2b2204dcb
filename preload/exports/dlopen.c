/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes dlopen() and dlmopen(): a libcrypto that was loaded is hooked before the caller
 * gets its handle. The C library searches on behalf of the object that calls it, which would be
 * the preload, so the preload searches for the caller (library_path.c). A call that cannot be
 * answered so is passed on to the C library as the caller's, so that the C library decides and
 * explains in its own words. See docs/coverage.md.
 */
#include "exports/dlopen.h"
#include "base/common.h"
#include "libcrypto/discover.h"
#include "libcrypto/registry.h"
#include "loader/library_path.h"
#include "loader/opened_names.h"
#include "loader/real.h"
#include "loader/tail_call.h"
#include "log/lapse.h"
#include <dlfcn.h>
#include <string.h>

/* Called by the assembly below; the last argument is the caller's address. */
SM_FROM_ASM struct interposed preload_dlopen(const char *file, int mode, long none,
                                             const void *caller);
SM_FROM_ASM struct interposed preload_dlmopen(Lmid_t space, const char *file, int mode,
                                              const void *caller);

static bool passed_on;

static struct interposed pass_on(enum real which)
{
    __atomic_store_n(&passed_on, true, __ATOMIC_RELAXED);
    return (struct interposed){NULL, real_function(which)};
}

void dlopen_hook_pending(void)
{
    if (sm_unlikely(__atomic_load_n(&passed_on, __ATOMIC_RELAXED)))
        libcrypto_discover();
}

static void *open_here(const char *file, int mode)
{
    void *(*next)(const char *, int) = (void *(*)(const char *, int))real_function(REAL_DLOPEN);

    return next(file, mode);
}

static void *open_in(Lmid_t space, const char *file, int mode)
{
    void *(*next)(Lmid_t, const char *, int) =
        (void *(*)(Lmid_t, const char *, int))real_function(REAL_DLMOPEN);

    return next(space, file, mode);
}

/*
 * Refuses OpenSSL's engine afalg, whose asynchronous I/O lets the kernel write into OpenSSL's
 * buffers. Secret memory forbids such writes: the engine would report success, and write
 * nothing.
 */
static const char *allowed_name(const char *file, const void *caller)
{
    static const char engine[] = "afalg.so";
    size_t length = file ? strlen(file) : 0, least = sizeof(engine) - 1;

    if (sm_likely(length < least || strcmp(file + length - least, engine) != 0) ||
        !libcrypto_contains(caller))
        return file;
    sm_lapse(SM_LAPSE_AFALG,
             "OpenSSL's engine afalg is refused: the kernel cannot write into "
             "secret memory; the processor's own AES is used without an engine");
    /* The caller gets the C library's error for a file that does not exist. */
    return "/refused-by-libsecretssl/afalg.so";
}

/*
 * Returns false if the call must be passed on. Not inlined, so that a small stack is free of
 * the path again when the libcryptos are looked for.
 */
static __attribute__((noinline)) bool open_for(Lmid_t *space, const char *file, int mode,
                                               const void *caller, void **handle)
{
    bool here = !space || *space == LM_ID_BASE;
    enum search how;
    char path[PATH_MAX];

    how = file ? search_for_caller(file, caller, here, path) : SEARCH_SAME;
    if (how == SEARCH_CALLER)
        return false;
    libcrypto_load_begin();
    if (how == SEARCH_PATH)
        *handle = space ? open_in(*space, path, mode) : open_here(path, mode);
    else
        *handle = space ? open_in(*space, file, mode) : open_here(file, mode);
    libcrypto_load_end();
    if (*handle && here && file && (how == SEARCH_PATH || !strchr(file, '/')))
        names_remember(file, *handle);
    return *handle || how == SEARCH_SAME;
}

/* As dlopen(3). */
struct interposed preload_dlopen(const char *file, int mode, long none, const void *caller)
{
    void *handle;

    (void)none;
    file = allowed_name(file, caller);
    if (!open_for(NULL, file, mode, caller, &handle))
        return pass_on(REAL_DLOPEN);
    if (handle)
        libcrypto_discover();
    return (struct interposed){handle, NULL};
}

/* As dlmopen(3). */
struct interposed preload_dlmopen(Lmid_t space, const char *file, int mode, const void *caller)
{
    void *handle;

    if (!open_for(&space, file, mode, caller, &handle))
        return pass_on(REAL_DLMOPEN);
    if (handle && space == LM_ID_BASE)
        libcrypto_discover();
    else if (handle)
        libcrypto_discover_namespace(handle);
    return (struct interposed){handle, NULL};
}

INTERPOSE_OR_TAIL_CALL(dlopen);
INTERPOSE_OR_TAIL_CALL(dlmopen);
