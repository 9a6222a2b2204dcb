/* SPDX-License-Identifier: Apache-2.0 */
/* The start and the end of libsecretmem, and its settings. */
#include "api/library.h"
#include "api/own_wiped.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "heap/malloc.h"
#include "log/log.h"
#include "process/exit_report.h"
#include "secretmem.h"
#include "stacktrace/load_library.h"
#include "stacktrace/unwind.h"
#include <dlfcn.h>
#include <sys/auxv.h>

extern char **environ;

static bool used;

/* Applies settings that take effect at once. Called where no allocation is in progress. */
static void library_apply(void)
{
    sm_exit_report_init(&used);
    if (sm_settings.trace)
        sm_unwind_load();
}

/*
 * Keeps the object loaded, because the atfork handlers and the thread-end handler are never
 * removed. The shared library is linked so that it is not unloaded. A plugin that contains the
 * static archive could be unloaded, and the next fork would jump to unmapped code.
 */
static void stay_loaded(void)
{
    Dl_info info;

    if (dladdr(&used, &info) != 0 && info.dli_fname && *info.dli_fname)
        dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    dlerror(); /* A statically linked program has no such object. */
}

/*
 * A wrong value in the environment is reported and ignored, because this library must not end a
 * program for it.
 */
static void read_environment(void)
{
    static sm_flag done;
    char error[256];

    if (__atomic_exchange_n(&done, true, __ATOMIC_RELAXED))
        return;
    sm_log_init("libsecretmem");
    sm_library_init();
    if (!getauxval(AT_SECURE) && sm_settings_from_env(environ, error, sizeof(error)) != 0)
        sm_log("%s: ignored", error);
}

/*
 * Runs before main, so that the atfork handlers are the outermost, and while there is one
 * thread. Where malloc itself is made from this library, dlopen is the first to use it.
 */
__attribute__((constructor)) static void library_start(void)
{
    read_environment();
    stay_loaded();
    sm_heap_start();
    sm_fork_init();
    library_apply();
}

void sm_library_use(void)
{
    static sm_flag begun;

    if (sm_unlikely(!__atomic_load_n(&used, __ATOMIC_RELAXED)) &&
        !__atomic_exchange_n(&begun, true, __ATOMIC_RELAXED)) {
        __atomic_store_n(&used, true, __ATOMIC_RELAXED);
        read_environment(); /* for what runs before library_start */
        sm_heap_start();
        sm_fork_init();
        sm_fork_start();
        sm_heap_seal();
        sm_own_wiped_init();
    }
}

SM_EXPORT int secretmem_configure(const char *name, const char *value)
{
    char error[256];

    if (__atomic_load_n(&used, __ATOMIC_RELAXED))
        return SECRETMEM_E_LATE;
    switch (sm_settings_set(name, value, error, sizeof(error))) {
    case 0:
        library_apply();
        return SECRETMEM_OK;
    case -2:
        return SECRETMEM_E_NAME;
    default:
        return SECRETMEM_E_VALUE;
    }
}

/* Reports for STATS=1 and TRACE=1, as in the preload library. */
__attribute__((destructor)) static void library_end(void)
{
    if (used)
        sm_exit_report_register();
}
