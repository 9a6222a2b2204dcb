/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions, as thin wrappers. */
#include "secretmem.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "log/log.h"
#include "os/valgrind.h"
#include "process/exit_report.h"
#include "stacktrace/load_library.h"
#include "stacktrace/unwind.h"
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
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

static void first_use(void)
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

SM_EXPORT const char *secretmem_strerror(int error)
{
    switch (error) {
    case SECRETMEM_OK:
        return "success";
    case SECRETMEM_E_NAME:
        return "there is no such setting";
    case SECRETMEM_E_VALUE:
        return "the setting does not take this value";
    case SECRETMEM_E_LATE:
        return "too late: memory was allocated already";
    default:
        return "unknown error";
    }
}

static void *answer(void *p)
{
    if (!p)
        errno = ENOMEM;
    return p;
}

SM_EXPORT void *secretmem_malloc(size_t size)
{
    first_use();
    return answer(sm_malloc(size, SM_PART_KEY));
}

SM_EXPORT void *secretmem_calloc(size_t count, size_t size)
{
    size_t bytes;
    void *p;

    if (__builtin_mul_overflow(count, size, &bytes))
        return answer(NULL);
    p = secretmem_malloc(bytes);
    /*
     * Cleared, because memory from the C library, and freed memory under ZERO=0, is not zeroed.
     */
    if (p && (!sm_settings.zero || !sm_arena_owns(p)))
        memset(p, 0, bytes);
    else if (p)
        sm_memcheck_allow(p, bytes); /* memcheck cannot know that the block is zeroed */
    return p;
}

SM_EXPORT void *secretmem_realloc(void *p, size_t size)
{
    if (!p)
        return secretmem_malloc(size);
    if (size == 0) {
        secretmem_free(p);
        return NULL;
    }
    return answer(sm_realloc(p, size));
}

SM_EXPORT void *secretmem_aligned_alloc(size_t alignment, size_t size)
{
    if (alignment == 0 || alignment & (alignment - 1)) {
        errno = EINVAL;
        return NULL;
    }
    first_use();
    return answer(sm_aligned_malloc(alignment, size, SM_PART_KEY));
}

SM_EXPORT void secretmem_free(void *p)
{
    int error = errno;

    if (p)
        sm_free(p);
    errno = error;
}

SM_EXPORT size_t secretmem_usable_size(const void *p)
{
    return p ? sm_usable_size(p) : 0;
}

SM_EXPORT int secretmem_contains(const void *p)
{
    return sm_is_secret(p);
}

SM_EXPORT void secretmem_get_stats(struct secretmem_stats *stats, size_t size)
{
    struct secretmem_stats now = {.size = sizeof(now)};
    int64_t live;

    now.secret_bytes = sm_counted(&sm_stats.pages[SM_KIND_SECRET]) * SM_PAGE;
    now.locked_bytes = sm_counted(&sm_stats.pages[SM_KIND_LOCKED]) * SM_PAGE;
    now.plain_bytes = (sm_counted(&sm_stats.pages[SM_KIND_PLAIN]) +
                       sm_counted(&sm_stats.pages[SM_KIND_ORDINARY])) *
                      SM_PAGE;
    now.peak_bytes = sm_counted(&sm_stats.pages_peak) * SM_PAGE;
    now.mapped_bytes = sm_counted(&sm_stats.mapped);
    now.limit_bytes = sm_arena.span ? sm_arena.cap : sm_settings.arena_size;
    sm_thread_caches_sum(&now.allocations, &now.frees, &live);
    now.live_bytes = (uint64_t)live;
    now.spilled = sm_counted(&sm_stats.spilled);
    now.spilled_bytes = sm_counted(&sm_stats.spilled_bytes);
    now.failed = sm_counted(&sm_stats.failed);
    now.degraded_pages = sm_counted(&sm_stats.degraded);
    now.forks = sm_counted(&sm_stats.forks);
    now.forks_failed = sm_counted(&sm_stats.fork_failed);
    memcpy(stats, &now, sm_min(size, sizeof(now)));
}

/* Reports for STATS=1 and TRACE=1, as in the preload library. */
__attribute__((destructor)) static void library_end(void)
{
    if (used)
        sm_exit_report_register();
}
