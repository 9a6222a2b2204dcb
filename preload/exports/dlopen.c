/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes dlopen() and dlmopen(): a libcrypto that was loaded is hooked before the caller
 * gets its handle. The linker looks for some files on behalf of the object that calls, which it
 * tells by return address. Such a call is passed on to the C library as the caller's own and
 * returns to the caller; what it loaded is hooked at the next chance. See docs/coverage.md.
 */
#include "exports/dlopen.h"
#include "base/common.h"
#include "libcrypto/discover.h"
#include "libcrypto/registry.h"
#include "loader/real.h"
#include "loader/tail_call.h"
#include "log/lapse.h"
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

/* Called by the assembly below; the last argument is the caller's address. */
SM_FROM_ASM struct interposed preload_dlopen(const char *file, int mode, long none,
                                             const void *caller);
SM_FROM_ASM struct interposed preload_dlmopen(Lmid_t space, const char *file, int mode,
                                              const void *caller);

static bool passed_on, passed_into_namespace;

void dlopen_hook_pending(void *handle)
{
    Lmid_t space;

    if (sm_likely(!__atomic_load_n(&passed_on, __ATOMIC_RELAXED)))
        return;
    libcrypto_discover();
    if (__atomic_load_n(&passed_into_namespace, __ATOMIC_RELAXED) && handle != RTLD_DEFAULT &&
        handle != RTLD_NEXT && dlinfo(handle, RTLD_DI_LMID, &space) == 0 && space != LM_ID_BASE)
        libcrypto_discover_namespace(handle);
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

static struct link_map *object_of(const void *code)
{
    struct link_map *map = NULL;
    Dl_info info;

    return dladdr1(code, &info, (void **)&map, RTLD_DL_LINKMAP) ? map : NULL;
}

static bool has_runpath(const struct link_map *map)
{
    const ElfW(Dyn) *dyn = map->l_ld;

    while (dyn->d_tag != DT_NULL && dyn->d_tag != DT_RUNPATH)
        dyn++;
    return dyn->d_tag == DT_RUNPATH;
}

/*
 * Returns true if the linker looks for the file in other directories for the caller than for
 * the preload. An object without DT_RUNPATH has the directories of the preload and those of its
 * own and its loaders' DT_RPATH, so the sizes of the two lists tell whether they differ.
 */
static bool is_for_caller(const char *file, const void *caller)
{
    struct link_map *ours, *theirs;
    Dl_serinfo our_list, their_list;

    if (!file || strchr(file, '$') || strchr(file, '/'))
        return file && strchr(file, '$');
    ours = object_of((const void *)is_for_caller);
    theirs = object_of(caller);
    if (!ours) /* The linker knows every loaded object, so this does not happen. */
        return true;
    /* Generated code counts as the program's, as for the linker. */
    if (!theirs) {
        for (theirs = ours; theirs->l_prev;)
            theirs = theirs->l_prev;
    }
    return has_runpath(theirs) || dlinfo(theirs, RTLD_DI_SERINFOSIZE, &their_list) != 0 ||
           dlinfo(ours, RTLD_DI_SERINFOSIZE, &our_list) != 0 ||
           their_list.dls_cnt != our_list.dls_cnt || their_list.dls_size != our_list.dls_size;
}

static struct interposed pass_on(enum real which)
{
    libcrypto_load_passed_on();
    __atomic_store_n(&passed_on, true, __ATOMIC_RELAXED);
    return (struct interposed){NULL, real_function(which)};
}

/* As dlopen(3). */
struct interposed preload_dlopen(const char *file, int mode, long none, const void *caller)
{
    void *handle;

    (void)none;
    dlopen_hook_pending(RTLD_DEFAULT);
    file = allowed_name(file, caller);
    if (is_for_caller(file, caller))
        return pass_on(REAL_dlopen);
    libcrypto_load_begin();
    handle = REAL(dlopen)(file, mode);
    libcrypto_load_end();
    if (handle)
        libcrypto_discover();
    return (struct interposed){handle, NULL};
}

/* As dlmopen(3). */
struct interposed preload_dlmopen(Lmid_t space, const char *file, int mode, const void *caller)
{
    void *handle;

    dlopen_hook_pending(RTLD_DEFAULT);
    if (is_for_caller(file, caller)) {
        __atomic_store_n(&passed_into_namespace, true, __ATOMIC_RELAXED);
        return pass_on(REAL_dlmopen);
    }
    libcrypto_load_begin();
    handle = REAL(dlmopen)(space, file, mode);
    libcrypto_load_end();
    if (handle && space == LM_ID_BASE)
        libcrypto_discover();
    else if (handle)
        libcrypto_discover_namespace(handle);
    return (struct interposed){handle, NULL};
}

INTERPOSE_OR_TAIL_CALL(dlopen);
INTERPOSE_OR_TAIL_CALL(dlmopen);
