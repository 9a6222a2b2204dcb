/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/external_pages.h"
#include "arena/shortage.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/thread_cache.h"
#include "log/lapse.h"
#include "os/pages.h"
#include <errno.h>
#include <string.h>

#define RANGES 272 /* 256 of them for arenas of libsecretmem's users */

static struct range {
    char *address; /* NULL: none */
    size_t length;
    char *copy;  /* where a child's copy is made */
    bool locked; /* locked memory: this child had no secret memory for the range */
} ranges[RANGES];
void (*sm_external_unseal)(void);

static struct sm_lock lock; /* taken inside the allocator, so never held at fork */

static int present(char *pages, size_t length, volatile uint32_t *progress)
{
    int error = 0;

    for (size_t at = 0; at < length && !error; at += sm_os_page) {
        error = sm_pages_populate(pages + at);
        if (progress)
            ++*progress;
    }
    return error;
}

/*
 * Makes secret pages with the same contents, which are not in their place yet. progress: counts
 * pages, or NULL.
 */
static int duplicate(const char *from, size_t length, char **to, volatile uint32_t *progress)
{
    struct sm_secret_map map = {.length = length, .to_move = true};

    sm_pages_map_secret(&map);
    if (map.error)
        return map.error;
    map.error = present(map.address, length, progress);
    if (map.error) {
        sm_pages_unmap(map.address, length);
        return map.error;
    }
    memcpy(map.address, from, length);
    *to = map.address;
    return 0;
}

static struct range *unused(void)
{
    for (int i = 0; i < RANGES; i++) {
        if (!ranges[i].address)
            return &ranges[i];
    }
    return NULL;
}

static int external_take(char *address, size_t length)
{
    struct range *range = unused();
    char *copy;
    int error;

    if (!range)
        return -ENOSPC;
    sm_pages_raise_limit(2 * length);
    error = duplicate(address, length, &copy, NULL);
    if (error)
        return error;
    error = sm_pages_move(copy, address, length);
    if (error) {
        sm_pages_unmap(copy, length);
        return error;
    }
    *range = (struct range){.address = address, .length = length};
    __atomic_fetch_add(&sm_arena.external, 1, __ATOMIC_RELAXED);
    sm_count(&sm_stats.pages[SM_KIND_SECRET], length >> SM_PAGE_SHIFT);
    return 0;
}

int sm_external_adopt(void *address, size_t length)
{
    struct sm_thread_cache *cache;
    int error;

    length = sm_round_up(length, sm_os_page);
    if ((uintptr_t)address % sm_os_page || !length)
        return -EINVAL;
    /*
     * Releases the ranges recorded here before. Their pages are not moved, and are cleared when
     * they are unmapped.
     */
    sm_external_release(address, length);
    cache = sm_enter();
    sm_lock_take(&lock);
    error = external_take(address, length);
    sm_lock_drop(&lock);
    sm_leave(cache);
    return error;
}

static void count_less(const struct range *range, size_t length)
{
    sm_count(&sm_stats.pages[range->locked ? SM_KIND_LOCKED : SM_KIND_SECRET],
             0 - (length >> SM_PAGE_SHIFT));
}

static void drop(struct range *range)
{
    count_less(range, range->length);
    range->address = NULL;
    __atomic_fetch_sub(&sm_arena.external, 1, __ATOMIC_RELAXED);
}

/* Takes no lock, because a fork may hold the lock while it waits for the caller. */
static bool overlaps(const struct range *range, const char *from, const char *to)
{
    const char *at = __atomic_load_n(&range->address, __ATOMIC_RELAXED);

    return at && at < to && from < at + __atomic_load_n(&range->length, __ATOMIC_RELAXED);
}

/* Keeps the rest of a range when the part between from and to is unmapped. */
static void external_cut(struct range *range, char *from, char *to)
{
    struct range tail = *range, *other;
    char *end = range->address + range->length;

    if (from > range->address) {
        count_less(range, (size_t)(end - from));
        range->length = (size_t)(from - range->address);
    } else {
        drop(range);
    }
    if (to >= end)
        return;
    tail.address = to;
    tail.length = (size_t)(end - to);
    other = unused();
    if (other) {
        *other = tail;
        sm_count(&sm_stats.pages[tail.locked ? SM_KIND_LOCKED : SM_KIND_SECRET],
                 tail.length >> SM_PAGE_SHIFT);
        __atomic_fetch_add(&sm_arena.external, 1, __ATOMIC_RELAXED);
    } else {
        sm_lapse(
            SM_LAPSE_HEAP_PIECES,
            "OpenSSL's secure heap has more than %d pieces: forked children do not get the "
            "others; report it",
            RANGES);
    }
}

void sm_external_release(const void *address, size_t length)
{
    struct sm_thread_cache *cache;
    char *from = (char *)address, *to = from + sm_round_up(length, sm_os_page);
    bool any = false;

    if (sm_likely(__atomic_load_n(&sm_arena.external, __ATOMIC_RELAXED) == 0))
        return;
    for (int i = 0; i < RANGES && !any; i++)
        any = overlaps(&ranges[i], from, to);
    if (!any)
        return;
    cache = sm_enter();
    sm_lock_take(&lock);
    for (int i = 0; i < RANGES; i++) {
        if (overlaps(&ranges[i], from, to))
            external_cut(&ranges[i], from, to);
    }
    sm_lock_drop(&lock);
    sm_leave(cache);
}

size_t sm_external_pages(void)
{
    size_t pages = 0;

    for (int i = 0; i < RANGES; i++)
        pages += ranges[i].address ? ranges[i].length >> SM_PAGE_SHIFT : 0;
    return pages;
}

bool sm_external_inherit(bool inherit)
{
    bool good = true;

    for (int i = 0; i < RANGES; i++) {
        struct range *range = &ranges[i];
        if (!range->address || range->locked || (inherit && sm_settings.fork == SM_FORK_DENY))
            continue;
        if (sm_pages_inherit(range->address, range->length, inherit) == 0)
            continue;
        /* The range was unmapped without notice, so there is nothing to copy. */
        if (inherit)
            drop(range);
        else
            good = false;
    }
    return good;
}

const char *sm_external_fork_copy(volatile uint32_t *progress)
{
    if (sm_external_unseal)
        sm_external_unseal();
    for (int i = 0; i < RANGES; i++) {
        struct range *range = &ranges[i];
        int error;
        if (!range->address || range->locked)
            continue;
        error = duplicate(range->address, range->length, &range->copy, progress);
        if (!error)
            continue;
        if (sm_settings.require)
            return "no secret memory for a child's copy of OpenSSL's secure heap";
        sm_short_degraded(SM_KIND_LOCKED, error);
        sm_count(&sm_stats.degraded, range->length >> SM_PAGE_SHIFT);
        range->copy = sm_pages_reserve_anywhere(range->length);
        if (!range->copy || sm_pages_map_anonymous(range->copy, range->length) != 0)
            return "no memory for a child's copy of OpenSSL's secure heap";
        memcpy(range->copy, range->address, range->length);
        range->locked = true;
        error = sm_pages_lock(range->copy, range->length, false);
        if (error)
            sm_short_degraded(SM_KIND_PLAIN, error);
    }
    return NULL;
}

const char *sm_external_fork_install(void)
{
    for (int i = 0; i < RANGES; i++) {
        struct range *range = &ranges[i];
        if (range->address && range->copy &&
            sm_pages_move(range->copy, range->address, range->length) != 0)
            return "a child's copy of OpenSSL's secure heap could not be put in place";
        range->copy = NULL;
    }
    return NULL;
}

bool sm_external_is_locked(const void *address)
{
    for (int i = 0; i < RANGES; i++) {
        if (ranges[i].address == address)
            return ranges[i].locked;
    }
    return false;
}

bool sm_external_fork_withhold(void)
{
    bool good = true;

    for (int i = 0; i < RANGES; i++) {
        struct range *range = &ranges[i];
        if (range->address && !range->locked) {
            good = sm_pages_discard(range->address, range->length) == 0 && good;
            drop(range);
        }
    }
    return good;
}
