/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/thread_stocks.h"
#include "arena/scavenge.h"
#include "heap/bins.h"
#include "heap/malloc.h"
#include "heap/quarantine.h"

#define VAIN_MOST 1024 /* shortages that are not tried again after one in vain */

uint32_t sm_stocks_calls;
bool (*sm_stocks_stop)(void);
void (*sm_stocks_go_on)(void);

bool sm_thread_caches_flush_runs(void)
{
    bool any = false;

    sm_lock_take(&sm_thread_caches_lock);
    for (struct sm_thread_cache *c = sm_thread_caches(); c; c = c->next)
        any = sm_cache_retain_runs(c) || any;
    sm_lock_drop(&sm_thread_caches_lock);
    return sm_quarantine_flush() || any;
}

static uint32_t free_pages(void)
{
    uint32_t pages = 0;

    for (unsigned p = 0; p < SM_PARTS; p++)
        pages += __atomic_load_n(&sm_arena.part[p].free_pages, __ATOMIC_RELAXED);
    return pages;
}

/* Called with all threads stopped. Returns the number of pages that became free. */
static uint32_t gather(void)
{
    uint32_t before = free_pages();

    for (struct sm_thread_cache *c = sm_thread_caches(); c; c = c->next) {
        if (c->alive)
            sm_cache_empty(c);
    }
    return free_pages() - before;
}

void sm_heap_keep(void)
{
    struct sm_thread_cache *cache = sm_enter();

    sm_scavenge_stop();
    sm_leave(cache);
}

/* Called outside the allocator. */
static bool stop_and_gather(void)
{
    static uint32_t vain, rest; /* the last wait, and what is left of it, in shortages */
    uint32_t left = __atomic_load_n(&rest, __ATOMIC_RELAXED), pages;
    bool stopped;

    if (left) {
        __atomic_store_n(&rest, left - 1, __ATOMIC_RELAXED);
        return false;
    }
    if (!sm_thread_caches() || !sm_stocks_stop)
        return false;
    stopped = sm_stocks_stop();
    pages = stopped ? gather() : 0;
    left = pages
               ? 0
               : (uint32_t)sm_min(2 * __atomic_load_n(&vain, __ATOMIC_RELAXED) + 1, VAIN_MOST);
    __atomic_store_n(&vain, left, __ATOMIC_RELAXED);
    __atomic_store_n(&rest, left, __ATOMIC_RELAXED);
    if (stopped)
        sm_stocks_go_on();
    return pages != 0;
}

bool sm_stocks_gather(struct sm_thread_cache **cache)
{
    bool any;

    sm_leave(*cache);
    any = stop_and_gather();
    *cache = sm_enter();
    return any;
}

static void follow_plan(struct sm_thread_cache *cache)
{
    uint32_t plan = sm_scavenge_plan();
    bool lean = sm_scavenge_compacts();

    if (cache->plan != plan || (lean && !cache->lean))
        sm_cache_empty(cache);
    cache->plan = plan;
    if (cache->lean != lean)
        sm_cache_set_lean(cache, lean);
}

void sm_stocks_scavenge(struct sm_thread_cache *cache)
{
    uint64_t ignored;
    int64_t live;

    if (sm_scavenge_due()) {
        sm_thread_caches_sum(&ignored, &ignored, &live);
        sm_scavenge_begin(live > 0 ? (uint64_t)live : 0);
    }
    sm_scavenge_step();
    if (cache)
        follow_plan(cache);
}
