/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/slab.h"
#include "arena/page_runs.h"
#include "heap/canary.h"
#include "heap/thread_cache.h"
#include "os/random.h"
#include "os/valgrind.h"
#include <string.h>

#define STOCK_MAX 512 /* an empty run is kept only for slots up to this size in bytes */

struct slab_class {
    struct sm_lock lock;
    uint32_t bands;             /* a bit for each list that has runs */
    uint64_t random;            /* 0: not seeded */
    uint32_t runs;              /* number of runs */
    uint32_t partial[SM_BANDS]; /* the first run with free slots in each band of addresses */
};

/*
 * Indexed by shard first, so that the classes of one thread share cache lines with few other
 * threads.
 */
static struct slab_class slab_classes[SM_SHARDS][SM_PARTS][SM_CLASSES];

static uint32_t shards_used; /* a bit for each that ever had a run */

static void slab_list_add(struct slab_class *slab, uint32_t page)
{
    unsigned band = sm_band_of(page);

    sm_list_add(&slab->partial[band], page);
    slab->bands |= 1U << band;
    sm_arena.pages[page].listed = true;
}

static void slab_list_remove(struct slab_class *slab, uint32_t page)
{
    unsigned band = sm_band_of(page);

    sm_list_remove(&slab->partial[band], page);
    if (!slab->partial[band])
        slab->bands &= ~(1U << band);
    sm_arena.pages[page].listed = false;
}

/* A run with free slots in the lowest band that has any. */
static uint32_t lowest(const struct slab_class *slab)
{
    return slab->partial[__builtin_ctz(slab->bands)];
}

/* Whether a run with free slots is the only one, and so low that it keeps nothing above in use.
 */
static bool is_stock(const struct slab_class *slab, uint32_t page)
{
    return slab->bands == 1 && slab->partial[0] == page && !sm_arena.pages[page].next &&
           sm_classes[sm_arena.pages[page].class].size <= STOCK_MAX;
}

static void set_all_free(struct sm_page *run, unsigned slots)
{
    for (unsigned w = 0; w < SM_SLOTS_MAX / 64; w++) {
        unsigned here = slots > w * 64 ? slots - w * 64 : 0;
        run->free_slots[w] = here >= 64 ? ~0ULL : (1ULL << here) - 1;
    }
    run->free_count = (uint16_t)slots;
}

/*
 * Creates a run. first: the first run of its slab class, which is as short as possible because
 * many programs need no second run.
 */
static uint32_t new_run(unsigned part, unsigned class, unsigned shard, bool first)
{
    unsigned least = (sm_classes[class].size + SM_PAGE - 1) / SM_PAGE;
    unsigned pages = first ? least : sm_classes[class].pages;
    uint32_t page = sm_run_take_present(part, pages);
    struct sm_page *run = &sm_arena.pages[page];

    if (!page)
        return 0;
    for (unsigned i = 0; i < pages; i++) {
        __atomic_store_n(&run[i].use, i ? SM_USE_BODY : SM_USE_SLAB, __ATOMIC_RELAXED);
        run[i].back = (uint8_t)i;
        run[i].class = (uint8_t)class;
        sm_arena.bins[page + i] = (uint8_t)sm_bin_of(part, class);
    }
    run->pages = pages;
    run->shard = (uint8_t)shard;
    memset(sm_state_of(sm_page_address(page)), 0,
           pages * SM_STATES_PER_PAGE * sizeof(uint16_t));
    sm_memcheck_forbid(sm_page_address(page), pages * SM_PAGE);
    set_all_free(run, sm_slab_slots(run));
    return page;
}

/* Takes the first free slot at or after at, wrapping around. The run has a free slot. */
static unsigned take_from(struct sm_page *run, unsigned at)
{
    unsigned w = at / 64;
    uint64_t word = run->free_slots[w] & ~0ULL << at % 64;

    while (!word) {
        w = (w + 1) % (SM_SLOTS_MAX / 64);
        word = run->free_slots[w];
    }
    word &= -word;
    run->free_slots[w] ^= word;
    run->free_count--;
    return w * 64 + (unsigned)__builtin_ctzll(word);
}

static unsigned take_slots(struct slab_class *slab, uint32_t page, void **slots, unsigned want)
{
    struct sm_page *run = &sm_arena.pages[page];
    size_t size = sm_classes[run->class].size;
    char *base = sm_page_address(page);
    unsigned got = 0;

    while (got < want && run->free_count) {
        unsigned at = SM_SHUFFLE ? sm_random_below(&slab->random, sm_slab_slots(run)) : 0;
        slots[got++] = base + take_from(run, at) * size;
    }
    return got;
}

unsigned sm_slab_fetch(unsigned part, unsigned class, unsigned shard, void **slots,
                       unsigned want)
{
    struct slab_class *slab = &slab_classes[shard][part][class];
    unsigned got = 0;

    sm_lock_take(&slab->lock);
    if (!slab->bands) {
        bool first = slab->runs == 0;
        uint32_t page;
        sm_lock_drop(&slab->lock);
        page = new_run(part, class, shard, first);
        if (!page)
            return 0;
        __atomic_fetch_or(&shards_used, 1U << shard, __ATOMIC_RELAXED);
        sm_lock_take(&slab->lock);
        slab->runs++;
        slab_list_add(slab, page);
    }
    while (got < want && slab->bands) {
        uint32_t page = lowest(slab);
        got += take_slots(slab, page, slots + got, want - got);
        if (sm_arena.pages[page].free_count == 0)
            slab_list_remove(slab, page);
    }
    sm_lock_drop(&slab->lock);
    return got;
}

static unsigned shard_of(const void *p)
{
    return sm_arena.pages[sm_run_of(p)].shard;
}

static unsigned slot_of(uint32_t page, const void *p)
{
    uint64_t offset = (uint64_t)((const char *)p - sm_page_address(page));

    return (unsigned)(offset * sm_classes[sm_arena.pages[page].class].magic >> 32);
}

/*
 * Puts back a slot. Returns true if the run became empty and was removed from the lists. An
 * empty run of small slots in the lowest band stays if it is the only run with free slots.
 */
static bool put_slot(struct slab_class *slab, uint32_t page, const void *p)
{
    struct sm_page *run = &sm_arena.pages[page];
    unsigned slot = slot_of(page, p);

    run->free_slots[slot / 64] |= 1ULL << (slot % 64);
    run->free_count++;
    if (!run->listed)
        slab_list_add(slab, page);
    if (run->free_count < sm_slab_slots(run) || is_stock(slab, page))
        return false;
    slab_list_remove(slab, page);
    slab->runs--;
    return true;
}

void sm_slab_return(unsigned part, unsigned class, void **slots, unsigned count)
{
    unsigned i = 0;

    while (i < count) {
        unsigned shard = shard_of(slots[i]);
        struct slab_class *slab = &slab_classes[shard][part][class];
        sm_lock_take(&slab->lock);
        do {
            uint32_t page = sm_run_of(slots[i]);
            /*
             * Under the slab's lock: an empty run is out of the lists, so only this thread uses
             * it.
             */
            if (put_slot(slab, page, slots[i])) {
                memset(sm_arena.bins + page, 0, sm_arena.pages[page].pages);
                sm_run_give(page, sm_arena.pages[page].pages);
            }
        } while (++i < count && shard_of(slots[i]) == shard);
        sm_lock_drop(&slab->lock);
    }
}

unsigned sm_slab_class(const void *p)
{
    return sm_arena.pages[sm_page_number(p)].class;
}

static void visit_slab(uint32_t page, sm_visit_fn *fn, void *arg)
{
    const struct sm_page *run = &sm_arena.pages[page];
    size_t size = sm_classes[run->class].size;
    unsigned slots = sm_slab_slots(run);
    char *slot = sm_page_address(page);

    for (unsigned s = 0; s < slots; s++, slot += size) {
        uint16_t state = __atomic_load_n(sm_state_of(slot), __ATOMIC_RELAXED);
        if (sm_state_live(state) && state != SM_STATE_WITHHELD)
            fn(slot, sm_state_size(state), SM_EXTENT(sm_state_size(state)), arg);
    }
}

void sm_visit_live(unsigned part, sm_visit_fn *fn, void *arg)
{
    for (uint32_t p = sm_arena.part[part].first; p < sm_arena.part[part].top; p++) {
        const struct sm_page *page = &sm_arena.pages[p];
        size_t size = sm_large_size(p);
        if (page->use == SM_USE_SLAB)
            visit_slab(p, fn, arg);
        else if (page->use == SM_USE_LARGE) /* The guard lies behind the pages. */
            fn(sm_page_address(p), size,
               sm_min(SM_EXTENT(size), (size_t)page->pages << SM_PAGE_SHIFT), arg);
    }
}

static void rebuild_run(unsigned part, uint32_t page, uint64_t *blocks, int64_t *bytes)
{
    struct sm_page *run = &sm_arena.pages[page];
    struct slab_class *slab = &slab_classes[run->shard][part][run->class];
    size_t size = sm_classes[run->class].size;
    unsigned slots = sm_slab_slots(run);
    char *base = sm_page_address(page);

    set_all_free(run, slots);
    for (unsigned slot = 0; slot < slots; slot++) {
        uint16_t state = *sm_state_of(base + slot * size);
        if (!sm_state_live(state))
            continue;
        run->free_slots[slot / 64] &= ~(1ULL << (slot % 64));
        run->free_count--;
        (*blocks)++;
        *bytes += (int64_t)sm_state_size(state);
    }
    run->listed = false;
    if (run->free_count == slots) {
        memset(sm_arena.bins + page, 0, run->pages);
        for (unsigned i = run->pages; i-- > 0;)
            run[i].use = SM_USE_NONE;
        return;
    }
    slab->runs++;
    if (run->free_count)
        slab_list_add(slab, page);
}

void sm_slab_rebuild(unsigned part, uint64_t *blocks, int64_t *bytes)
{
    /* A child gets a copy of each page that it writes to, so what is unused is left alone. */
    for (unsigned s = 0; s < SM_SHARDS; s++) {
        if (shards_used & 1U << s)
            memset(slab_classes[s][part], 0, sizeof(slab_classes[s][part]));
    }
    for (uint32_t p = sm_arena.part[part].first; p < sm_arena.part[part].top; p++) {
        struct sm_page *page = &sm_arena.pages[p];
        if (page->use == SM_USE_SLAB) {
            rebuild_run(part, p, blocks, bytes);
        } else if (page->use == SM_USE_LARGE) {
            (*blocks)++;
            *bytes += (int64_t)sm_large_size(p);
        }
    }
}

static struct slab_class *nth_shelf(unsigned n)
{
    return &slab_classes[0][0][0] + n;
}

#define SLABS (SM_SHARDS * SM_PARTS * SM_CLASSES)

void sm_slab_lock_all(void)
{
    for (unsigned n = 0; n < SLABS; n++)
        sm_lock_take(&nth_shelf(n)->lock);
}

/* Reads first: see sm_slab_rebuild(). */
void sm_slab_reset_locks(void)
{
    for (unsigned n = 0; n < SLABS; n++) {
        if (nth_shelf(n)->lock.word)
            sm_lock_reset(&nth_shelf(n)->lock);
    }
}

void sm_slab_unlock_all(void)
{
    for (unsigned n = SLABS; n-- > 0;)
        sm_lock_drop(&nth_shelf(n)->lock);
}
