/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions, as thin wrappers. */
#include "secretmem.h"
#include "api/library.h"
#include "api/own_arena.h"
#include "api/own_malloc.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/fork_later.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "os/valgrind.h"
#include <errno.h>
#include <string.h>

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
    sm_library_use();
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
    if (sm_own_arena_of(p))
        return sm_own_realloc(p, size);
    return answer(sm_realloc(p, size));
}

SM_EXPORT void *secretmem_aligned_alloc(size_t alignment, size_t size)
{
    if (alignment == 0 || alignment & (alignment - 1)) {
        errno = EINVAL;
        return NULL;
    }
    sm_library_use();
    return answer(sm_aligned_malloc(alignment, size, SM_PART_KEY));
}

SM_EXPORT void secretmem_free(void *p)
{
    int error = errno;

    if (sm_own_arena_of(p))
        sm_own_free(p);
    else if (p)
        sm_free(p);
    errno = error;
}

SM_EXPORT size_t secretmem_usable_size(const void *p)
{
    if (sm_own_arena_of(p))
        return sm_own_usable_size(p);
    return p ? sm_usable_size(p) : 0;
}

SM_EXPORT int secretmem_contains(const void *p)
{
    const struct secretmem_arena *arena = sm_own_arena_of(p);

    return arena ? arena->kind == SM_KIND_SECRET : sm_is_secret(p);
}

SM_EXPORT void secretmem_get_stats(struct secretmem_stats *stats, size_t size)
{
    struct secretmem_stats now = {.size = sizeof(now)};
    int64_t live;

    if (!sm_inside_now() && !sm_is_rawfork_child())
        sm_fork_catch_up();
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
