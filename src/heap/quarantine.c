/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/quarantine.h"
#include "arena/page_runs.h"
#include "arena/sealed.h"
#include "base/counters.h"
#include "heap/block.h"
#include "log/lapse.h"
#include "os/pages.h"
#include "os/random.h"
#include "os/valgrind.h"

#define HELD_MOST 4096 /* entries of each half of a pool, a power of two */
#define NO_ACCESS 1    /* in an entry: the run's pages have no access */

/* An entry is the address of a slot or of a run's first page. */
struct half {
    uint32_t first, count;
    size_t bytes;
    uintptr_t held[HELD_MOST];
};

/*
 * What comes in is mixed with what is there. What leaves that half, chosen at random, goes
 * through a queue, so that nothing leaves at once. A child of fork sees its pools zeroed.
 */
struct pool {
    struct sm_lock lock;
    uint64_t random; /* 0: not seeded */
    struct half mixed, queue;
};

static struct pool *pools; /* one for each shard */
static struct sm_lock pools_lock;
static bool failed;

static struct pool *pool_of(unsigned shard)
{
    struct pool *have = __atomic_load_n(&pools, __ATOMIC_ACQUIRE);

    if (have || __atomic_load_n(&failed, __ATOMIC_RELAXED))
        return have ? have + shard : NULL;
    sm_lock_take(&pools_lock);
    if (!pools && !failed) {
        have = sm_pages_hidden(sm_round_up(SM_SHARDS * sizeof(*have), sm_os_page), true);
        __atomic_store_n(&pools, have, __ATOMIC_RELEASE);
        failed = !have;
        if (failed)
            sm_lapse(
                SM_LAPSE_QUARANTINE,
                "SECRETSSL_QUARANTINE: no memory for the list of freed blocks: freed blocks "
                "are reused at once");
    }
    sm_lock_drop(&pools_lock);
    return pools ? pools + shard : NULL;
}

static bool is_run(uintptr_t entry)
{
    return sm_arena.pages[sm_page_number((const void *)entry)].use == SM_USE_RETAINED;
}

static size_t held_bytes(uintptr_t entry)
{
    const void *p = (const void *)(entry & ~(uintptr_t)NO_ACCESS);

    if (is_run(entry))
        return (size_t)sm_arena.pages[sm_page_number(p)].pages << SM_PAGE_SHIFT;
    return sm_classes[sm_slab_class(p)].size;
}

static size_t half_room(void)
{
    return sm_settings.quarantine / SM_SHARDS / 2;
}

static bool half_takes(const struct half *half, size_t bytes)
{
    return half->count < HELD_MOST && half->bytes + bytes <= half_room();
}

static void half_add(struct half *half, uintptr_t entry)
{
    half->held[(half->first + half->count++) % HELD_MOST] = entry;
    half->bytes += held_bytes(entry);
    __atomic_fetch_add(&sm_stats.quarantined, held_bytes(entry), __ATOMIC_RELAXED);
}

/* Takes the entry at a position behind the first, which the first one then fills. */
static uintptr_t half_take(struct half *half, uint32_t at)
{
    uintptr_t *place = &half->held[(half->first + at) % HELD_MOST], entry = *place;

    *place = half->held[half->first % HELD_MOST];
    half->first++;
    half->count--;
    half->bytes -= held_bytes(entry);
    __atomic_fetch_sub(&sm_stats.quarantined, held_bytes(entry), __ATOMIC_RELAXED);
    return entry;
}

/* Makes some room among what is mixed. Returns an entry that leaves the pool, or 0. */
static uintptr_t move_on(struct pool *pool)
{
    uint32_t at = sm_random_below(&pool->random, pool->mixed.count);
    uintptr_t entry = half_take(&pool->mixed, at), oldest;

    if (half_takes(&pool->queue, held_bytes(entry))) {
        half_add(&pool->queue, entry);
        return 0;
    }
    oldest = half_take(&pool->queue, 0);
    /* What does not fit stays for the next round. */
    half_add(half_takes(&pool->queue, held_bytes(entry)) ? &pool->queue : &pool->mixed, entry);
    return oldest;
}

static void release_slot(void *slot)
{
    unsigned class = sm_slab_class(slot);
    bool opened =
        sm_sealed_open(sm_part_of(slot)); /* The block that is freed may be another's. */

    if (!sm_on_valgrind())
        sm_block_check_free(slot, class);
    sm_pku_close(opened);
    sm_slab_return(sm_part_of(slot), class, &slot, 1);
}

/* A run whose access the kernel does not give back is not used any more, like a guard page. */
static void release_run(uintptr_t entry)
{
    char *start = (char *)(entry & ~(uintptr_t)NO_ACCESS);
    uint32_t page = sm_page_number(start), pages = sm_arena.pages[page].pages;

    if (entry & NO_ACCESS && sm_pages_protect(start, (size_t)pages << SM_PAGE_SHIFT, true) != 0)
        return;
    for (uint32_t i = 1; i < pages; i++)
        __atomic_store_n(&sm_arena.pages[page + i].use, SM_USE_BODY, __ATOMIC_RELAXED);
    sm_run_retain(page, pages);
}

static void release(uintptr_t entry)
{
    if (is_run(entry))
        release_run(entry);
    else
        release_slot((void *)entry);
}

static void quarantine_hold(struct pool *pool, uintptr_t entry)
{
    size_t bytes = held_bytes(entry);

    for (;;) {
        uintptr_t leaving = 0;
        bool takes;
        sm_lock_take(&pool->lock);
        takes = half_takes(&pool->mixed, bytes);
        if (takes)
            half_add(&pool->mixed, entry);
        else
            leaving = move_on(pool);
        sm_lock_drop(&pool->lock);
        if (leaving)
            release(leaving);
        if (takes)
            return;
    }
}

bool sm_quarantine_slot(void *slot, unsigned shard)
{
    struct pool *pool = pool_of(shard);

    if (!pool || sm_classes[sm_slab_class(slot)].size > half_room() / 2)
        return false;
    quarantine_hold(pool, (uintptr_t)slot);
    return true;
}

bool sm_quarantine_run(uint32_t page, unsigned shard)
{
    size_t bytes = (size_t)sm_arena.pages[page].pages << SM_PAGE_SHIFT;
    struct pool *pool = pool_of(shard);
    char *start = sm_page_address(page);
    bool hidden;

    if (!pool || bytes > half_room() / 2)
        return false;
    /*
     * No page of it is copied for a child. Marked first, because who reads the uses without a
     * lock takes a large block to be accessible (wiped.c).
     */
    for (size_t i = 0; i < bytes >> SM_PAGE_SHIFT; i++)
        __atomic_store_n(&sm_arena.pages[page + i].use, SM_USE_RETAINED, __ATOMIC_RELAXED);
    hidden = sm_pages_protect(start, bytes, false) == 0;
    quarantine_hold(pool, (uintptr_t)start | (hidden ? NO_ACCESS : 0));
    return true;
}

static uintptr_t take_any(struct pool *pool)
{
    uintptr_t entry = 0;

    sm_lock_take(&pool->lock);
    if (pool->queue.count)
        entry = half_take(&pool->queue, 0);
    else if (pool->mixed.count)
        entry = half_take(&pool->mixed, 0);
    sm_lock_drop(&pool->lock);
    return entry;
}

bool sm_quarantine_flush(void)
{
    struct pool *all = __atomic_load_n(&pools, __ATOMIC_ACQUIRE);
    uintptr_t entry;
    bool any = false;

    for (unsigned s = 0; all && s < SM_SHARDS; s++) {
        while ((entry = take_any(all + s)) != 0) {
            release(entry);
            any = true;
        }
    }
    return any;
}
