/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/backing.h"
#include "arena/sealed.h"
#include "arena/shortage.h"
#include "arena/wiped.h"
#include "base/counters.h"
#include "base/settings.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include <errno.h>

static struct sm_lock present_lock; /* runs share kernel pages larger than SM_PAGE */
bool (*sm_backing_reclaim)(void);

static bool never_uncached; /* this machine has no uncached memory */
static int uncached_error;  /* the error that refused required uncached memory, or 0 */

bool sm_backing_secret(unsigned part)
{
    return sm_settings.route == SM_ROUTE_ALL || part == SM_PART_BYTES || part == SM_PART_KEY;
}

unsigned sm_backing_flags(unsigned part)
{
    if (part != SM_PART_BYTES || sm_settings.uncached == SM_UNCACHED_OFF ||
        __atomic_load_n(&never_uncached, __ATOMIC_RELAXED))
        return 0;
    return SM_SECRET_UNCACHED;
}

void sm_backing_raise_limit(void)
{
    static sm_flag raised;

    /* Twice the arena, because under per-user accounting a child's copy counts as well. */
    if (!__atomic_exchange_n(&raised, true, __ATOMIC_RELAXED))
        sm_pages_raise_limit(2 * (sm_arena.span ? sm_arena.cap : sm_settings.arena_size));
}

/*
 * The error may mean that this kernel or processor has no uncached memory, or that the process
 * lacks a privilege, which it perhaps gave up.
 */
static bool may_mean_flags(int error)
{
    return error == -EINVAL || error == -EOPNOTSUPP || error == -EPERM;
}

static void say_cached(int error)
{
    sm_lapse(SM_LAPSE_CACHED,
             "SECRETSSL_UNCACHED: the kernel refuses uncached "
             "memory (%s): key bytes are in cached secret memory",
             sm_errno_name(error));
    /* A privilege may come back (seteuid); the other causes stay. */
    if (error != -EPERM)
        __atomic_store_n(&never_uncached, true, __ATOMIC_RELAXED);
}

static void refuse_cached(struct sm_secret_map *map, int error)
{
    sm_pages_discard(map->address, map->length);
    map->error = error;
    __atomic_store_n(&uncached_error, error, __ATOMIC_RELAXED);
    sm_short_cached(error);
}

static int map_with_flags(unsigned part, struct sm_secret_map *map)
{
    int refused;

    map->flags = sm_backing_flags(part);
    sm_pages_map_secret(map);
    refused = map->error;
    if (map->flags == 0 || !may_mean_flags(refused))
        return refused;
    map->flags = 0;
    sm_pages_map_secret(map);
    /*
     * A filter gives the same answer to both calls, so the flag was not the cause: there is no
     * secret memory.
     */
    if (map->error)
        return map->error;
    if (sm_settings.uncached == SM_UNCACHED_REQUIRE)
        refuse_cached(map, refused);
    else
        say_cached(refused);
    return map->error;
}

int sm_backing_map_secret(unsigned part, struct sm_secret_map *map)
{
    int error = map_with_flags(part, map);

    if (error == 0)
        sm_secretmem_ask_huge(map->address, map->length);
    return error;
}

bool sm_backing_is_refused(unsigned part)
{
    return part == SM_PART_BYTES && sm_backing_refusal() != 0;
}

int sm_backing_refusal(void)
{
    return __atomic_load_n(&uncached_error, __ATOMIC_RELAXED);
}

bool sm_backing_may_degrade(unsigned part)
{
    return !sm_settings.require && !sm_backing_is_refused(part);
}

bool sm_backing_reclaimed(void)
{
    return sm_backing_reclaim && sm_backing_reclaim();
}

static int lock_page(struct sm_page *page, char *at)
{
    int error = sm_pages_lock(at, sm_os_page, false);

    if (error) {
        page->kind = SM_KIND_PLAIN;
        sm_short_degraded(SM_KIND_PLAIN, error);
    }
    sm_count(&sm_stats.degraded, sm_pages_per_os());
    return 0;
}

static unsigned part_of_entry(const struct sm_page *page)
{
    return sm_part_of(sm_page_address((uint32_t)(page - sm_arena.pages)));
}

int sm_backing_present(struct sm_page *page, char *at)
{
    int error;

    switch (page->kind) {
    case SM_KIND_SECRET:
        error = sm_pages_populate(at);
        /* A file that was wiped answers as a limit does. */
        if (error == -EFAULT)
            sm_wiped_touch_first(part_of_entry(page));
        if (error && sm_backing_reclaimed())
            error = sm_pages_populate(at);
        if (error == 0)
            return 0;
        if (sm_settings.require || sm_pages_map_anonymous(at, sm_os_page) != 0 ||
            sm_sealed_protect(part_of_entry(page), at, sm_os_page) != 0)
            return error;
        sm_short_degraded(SM_KIND_LOCKED, error);
        page->kind = SM_KIND_LOCKED;
        return lock_page(page, at);
    case SM_KIND_LOCKED:
        return lock_page(page, at);
    default:
        return 0;
    }
}

/* Returns false for a secret page after a filter that would kill for populating it. */
static bool may_present(const struct sm_page *page)
{
    return page->kind != SM_KIND_SECRET || !sm_seccomp_forbids(SM_CALL_SIGPROCMASK);
}

static bool backing_make_present(struct sm_page *page, char *at)
{
    int error;

    if (!may_present(page))
        return sm_short_of(SM_SHORT_FIXED);
    error = sm_backing_present(page, at);
    return error ? sm_short_by(error, sm_os_page) : true;
}

bool sm_backing_uncached(const struct sm_page *page)
{
    return page->kind == SM_KIND_SECRET && page->uncached;
}

void sm_backing_count(unsigned part, const struct sm_page *page, int pages)
{
    sm_stats_pages(part, page->kind, pages);
    if (sm_backing_uncached(page))
        sm_count(&sm_stats.uncached_pages, (uint64_t)pages);
}

bool sm_backing_populate(uint32_t first, uint32_t pages)
{
    uint32_t per_os = sm_pages_per_os();
    bool good = true;

    if (per_os > 1)
        sm_lock_take(&present_lock);
    for (uint32_t i = first; i < first + pages && good; i++) {
        uint32_t os = i & ~(per_os - 1);
        struct sm_page *page = &sm_arena.pages[os];
        if (sm_arena.pages[i].present)
            continue;
        good = backing_make_present(page, sm_page_address(os));
        sm_count(&sm_stats.faults, good);
        for (uint32_t j = os; good && j < os + per_os; j++) {
            sm_arena.pages[j].kind = page->kind;
            sm_arena.pages[j].present = true;
        }
        if (good)
            sm_backing_count(sm_part_of(sm_page_address(os)), page, (int)per_os);
    }
    if (per_os > 1)
        sm_lock_drop(&present_lock);
    return good;
}
