/* SPDX-License-Identifier: Apache-2.0 */
/* The copies of external pages that children of fork get. See docs/locked-memory.md. */
#include "arena/shortage.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/external_move.h"
#include "fork/external_pages.h"
#include "fork/external_ranges.h"
#include "heap/thread_cache.h"
#include "log/lapse.h"
#include "os/helper_process.h"
#include "os/page_access.h"
#include "os/pages.h"
#include <errno.h>
#include <sys/single_threaded.h>

#define FILE_BYTES (256 * SM_KIB) /* The copies of small ranges share a secret file. */
#define PASSES_MAX 16

void (*sm_external_unseal)(void);

/* A child of this process is to have a copy. */
static bool is_copied(const struct sm_external_range *range)
{
    return range->address && !range->locked && !range->parental;
}

static void restore_in_helper(void *range)
{
    struct sm_external_range *stack = range;
    size_t length = stack->length, moved = 0;
    char *pages = sm_pages_private(length, false);

    if (pages && sm_external_refresh(pages, stack->address, length) >= 0)
        moved = sm_external_place(pages, stack->address, length, false);
    if (pages && moved < length)
        sm_pages_unmap(pages + moved, length - moved);
    if (moved) {
        sm_pages_lock(stack->address, moved, false);
        sm_external_cut(stack, stack->address, stack->address + moved);
    }
}

/*
 * The child of a thread whose stack lies in external pages would run on the parent's stack
 * until it has its copy. The helper exchanges the pages while the thread waits for it. If that
 * fails, or if other threads may be writing to the pages, the child is to have no such stack
 * rather than the parent's.
 */
void sm_external_fork_prepare(void)
{
    const char *here = __builtin_frame_address(0);

    for (unsigned i = 0; i < sm_external_used; i++) {
        struct sm_external_range *range = &sm_external_ranges[i];
        if (sm_likely(!sm_external_has(range, here, here + 1)) || range->locked)
            continue;
        if (__libc_single_threaded)
            sm_helper_force(restore_in_helper, range);
        if (sm_external_has(range, here, here + 1))
            range->parental = true;
        if (range->parental)
            sm_lapse(SM_LAPSE_MLOCK, "a thread forks on a stack that the program has locked: "
                                     "the child does not have it, and ends");
        else
            sm_lapse(SM_LAPSE_MLOCK,
                     "a stack that the program has locked is ordinary locked memory from now "
                     "on, because a thread forks on it");
    }
}

bool sm_external_inherit(bool inherit)
{
    bool good = true;

    for (unsigned i = 0; i < sm_external_used; i++) {
        struct sm_external_range *range = &sm_external_ranges[i];
        if (!is_copied(range) || (inherit && sm_settings.fork == SM_FORK_DENY))
            continue;
        if (sm_pages_inherit(range->address, range->length, inherit) == 0)
            continue;
        /* The range was unmapped without notice, so there is nothing to copy. */
        if (inherit)
            sm_external_drop(range);
        else
            good = false;
    }
    return good;
}

/* A batch of ranges, in the order of the table, whose copies are one file. */
struct batch {
    unsigned first, end; /* entries of the table */
    size_t length;       /* bytes */
};

static struct batch batch_from(unsigned first)
{
    struct batch batch = {.first = first, .end = first};

    for (; batch.end < sm_external_used && batch.length < FILE_BYTES; batch.end++) {
        const struct sm_external_range *range = &sm_external_ranges[batch.end];
        batch.length += is_copied(range) ? range->length : 0;
    }
    return batch;
}

static void batch_spread(const struct batch *batch, char *copies)
{
    for (unsigned i = batch->first; i < batch->end; i++) {
        struct sm_external_range *range = &sm_external_ranges[i];
        if (!is_copied(range))
            continue;
        range->copy = copies;
        copies += range->length;
    }
}

/* Makes secret pages for the copies. Returns 0, or a negative errno value. */
static int batch_map(const struct batch *batch, volatile uint32_t *progress)
{
    struct sm_secret_map map = {.length = batch->length, .to_move = true};

    sm_pages_map_secret(&map);
    if (map.error)
        return map.error;
    map.error = sm_external_populate(map.address, map.length, progress);
    if (map.error)
        sm_pages_unmap(map.address, map.length);
    else
        batch_spread(batch, map.address);
    return map.error;
}

static bool batch_degrade(const struct batch *batch, int error)
{
    char *copies = sm_pages_reserve_anywhere(batch->length);

    sm_short_degraded(SM_KIND_LOCKED, error);
    sm_count(&sm_stats.degraded, batch->length >> SM_PAGE_SHIFT);
    if (!copies || sm_pages_map_anonymous(copies, batch->length) != 0)
        return false;
    error = sm_pages_lock(copies, batch->length, false);
    if (error)
        sm_short_degraded(SM_KIND_PLAIN, error);
    batch_spread(batch, copies);
    for (unsigned i = batch->first; i < batch->end; i++)
        sm_external_ranges[i].locked = sm_external_ranges[i].copy != NULL;
    return true;
}

/* Copies until nothing changes, because other threads of the parent may write. */
static bool batches_copy(bool threads)
{
    int changed = 1;

    for (int pass = 0; pass < PASSES_MAX && changed; pass++) {
        changed = 0;
        for (unsigned i = 0; i < sm_external_used; i++) {
            struct sm_external_range *range = &sm_external_ranges[i];
            int result = range->copy
                             ? sm_external_refresh(range->copy, range->address, range->length)
                             : 0;
            if (result < 0)
                return false;
            changed |= result;
        }
        changed = changed && threads;
    }
    return true;
}

const char *sm_external_fork_copy(volatile uint32_t *progress, bool threads)
{
    struct batch batch = {0};

    if (sm_external_unseal)
        sm_external_unseal();
    for (; batch.end < sm_external_used;) {
        batch = batch_from(batch.end);
        int error = batch.length ? batch_map(&batch, progress) : 0;
        if (!error)
            continue;
        if (sm_settings.require)
            return "no secret memory for a child's copy of locked memory";
        if (!batch_degrade(&batch, error))
            return "no memory for a child's copy of locked memory";
    }
    return batches_copy(threads) ? NULL : "no memory for a child's copy of locked memory";
}

const char *sm_external_fork_install(void)
{
    for (unsigned i = 0; i < sm_external_used; i++) {
        struct sm_external_range *range = &sm_external_ranges[i];
        if (range->address && range->copy &&
            sm_external_place(range->copy, range->address, range->length, !range->locked) !=
                range->length)
            return "a child's copy of locked memory could not be put in place";
        /* Locked pages are private, and the kernel copies them for this child's children. */
        if (range->address && range->copy && range->locked)
            sm_pages_inherit(range->address, range->length, true);
        range->copy = NULL;
        if (range->address && range->parental)
            sm_external_drop(range);
    }
    return NULL;
}

/* Also a page that the program may not read at the moment, as sm_external_refresh() does. */
static int touch_page(char *page)
{
    bool hidden = sm_page_access(page) == SM_ACCESS_NONE;
    int error = hidden ? sm_page_set_access(page, sm_os_page, SM_ACCESS_READ) : 0;

    if (!error)
        error = sm_pages_fault_in(page);
    if (hidden && !error)
        error = sm_page_set_access(page, sm_os_page, SM_ACCESS_NONE);
    return error;
}

const char *sm_external_fork_keep(bool touch)
{
    int error = 0;

    if (touch && sm_external_unseal)
        sm_external_unseal();
    for (unsigned i = 0; i < sm_external_used; i++) {
        struct sm_external_range *range = &sm_external_ranges[i];
        for (size_t at = 0; touch && is_copied(range) && at < range->length && !error;
             at += sm_os_page)
            error = touch_page(range->address + at);
        if (range->address && range->parental)
            sm_external_drop(range);
    }
    return error ? "no secret memory for a child's copy of locked memory" : NULL;
}

void sm_external_touch(void)
{
    struct sm_thread_cache *cache;

    if (!sm_external_any())
        return;
    cache = sm_enter();
    sm_lock_take(&sm_external_lock);
    for (unsigned i = 0; i < sm_external_used; i++) {
        const struct sm_external_range *range = &sm_external_ranges[i];
        for (size_t at = 0; is_copied(range) && at < range->length; at += sm_os_page)
            touch_page(range->address + at);
    }
    sm_lock_drop(&sm_external_lock);
    sm_leave(cache);
}

bool sm_external_fork_withhold(void)
{
    bool good = true;

    for (unsigned i = 0; i < sm_external_used; i++) {
        struct sm_external_range *range = &sm_external_ranges[i];
        if (range->address && !range->locked) {
            good = (range->parental || sm_pages_discard(range->address, range->length) == 0) &&
                   good;
            sm_external_drop(range);
        }
    }
    return good;
}

bool sm_external_is_locked(const void *address)
{
    for (unsigned i = 0; i < sm_external_used; i++) {
        if (sm_external_ranges[i].address == address)
            return sm_external_ranges[i].locked;
    }
    return false;
}
