/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/bins.h"
#include "arena/page_runs.h"
#include "heap/slab.h"
#include <string.h>

/* The bytes that a bin has for freed slots. */
static uint32_t bin_room(const struct sm_thread_cache *cache, unsigned class, bool lean)
{
    return lean || cache->quarantined ? 0 : sm_classes[class].cached * (uint32_t)sizeof(void *);
}

/* The word below a bin's first slot. */
static void **bin_bottom(struct sm_thread_cache *cache, unsigned b, unsigned class)
{
    uint32_t room = bin_room(cache, class, cache->lean);

    return (void **)((char *)cache + cache->bins[b].limit - room);
}

bool sm_bin_fetch(struct sm_thread_cache *cache, unsigned part, unsigned class)
{
    unsigned b = sm_bin_of(part, class);
    unsigned got =
        sm_slab_fetch(part, class, cache->shard, sm_bin_top(cache, b) + 1, cache->want[b]);

    cache->bins[b].top += got * (uint32_t)sizeof(void *);
    cache->want[b] = (uint8_t)sm_min(cache->want[b] * 2U, sm_classes[class].cached / 2U + 1);
    return got != 0;
}

/* The slots that were kept for the longest go, so that none keeps its page in use for ever. */
void sm_bin_flush(struct sm_thread_cache *cache, unsigned part, unsigned class, unsigned keep)
{
    unsigned b = sm_bin_of(part, class);
    void **slots = bin_bottom(cache, b, class) + 1;
    unsigned count = (unsigned)(sm_bin_top(cache, b) + 1 - slots);

    if (count <= keep)
        return;
    sm_slab_return(part, class, slots, count - keep);
    memmove(slots, slots + count - keep, keep * sizeof(*slots));
    cache->bins[b].top -= (count - keep) * (uint32_t)sizeof(*slots);
}

bool sm_cache_retain_runs(struct sm_thread_cache *cache)
{
    bool any = false;

    for (unsigned n = 0; n < sizeof(cache->runs) / sizeof(uint32_t); n++) {
        uint32_t *kept = &cache->runs[0][0][0] + n, page = 0;
        /* Looks first: most are empty, and an exchange takes the line from its owner. */
        if (__atomic_load_n(kept, __ATOMIC_RELAXED))
            page = __atomic_exchange_n(kept, 0, __ATOMIC_ACQUIRE);
        if (page)
            sm_run_retain(page, sm_arena.pages[page].pages);
        any = any || page;
    }
    return any;
}

void sm_cache_empty(struct sm_thread_cache *cache)
{
    for (unsigned c = 0; c < SM_CLASSES; c++) {
        for (unsigned p = 0; p < SM_PARTS; p++)
            sm_bin_flush(cache, p, c, 0);
    }
    sm_cache_retain_runs(cache);
}

void sm_cache_set_lean(struct sm_thread_cache *cache, bool lean)
{
    for (unsigned b = 1; b < SM_BINS; b++) {
        unsigned class = (b - 1) / SM_PARTS;
        cache->bins[b].limit +=
            bin_room(cache, class, lean) - bin_room(cache, class, cache->lean);
    }
    cache->lean = lean;
}
