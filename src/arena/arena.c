/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/arena.h"
#include "arena/backing.h"
#include "arena/guard_pages.h"
#include "arena/shortage.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "os/pages.h"
#include "os/seccomp.h"
#include <string.h>
#include <sys/resource.h>

struct sm_arena sm_arena;

#define PART_SPAN_MIN (16 * SM_MIB)
#define SHIFT_MIN     20 /* a partition has room for some of the largest kernel pages */

static size_t state_bytes(size_t span)
{
    return sm_round_up((span >> SM_GRANULE_SHIFT) * sizeof(uint16_t), sm_os_page);
}

static size_t page_bytes(size_t span)
{
    return sm_round_up((span >> SM_PAGE_SHIFT) * sizeof(struct sm_page), sm_os_page);
}

static size_t bin_bytes(size_t span)
{
    return sm_round_up(span >> SM_PAGE_SHIFT, sm_os_page);
}

/* The program needs its address space too, and a child a second arena while it copies. */
static size_t span_allowed(void)
{
    struct rlimit limit = {0};

    if (sm_seccomp_forbids(SM_CALL_PRLIMIT) ||
        sm_sys(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) != 0 ||
        limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return limit.rlim_cur / 8;
}

static bool reserve(unsigned shift)
{
    size_t span = (size_t)SM_PARTS << shift;
    size_t tables = state_bytes(span) + page_bytes(span) + bin_bytes(span);
    char *base, *table;

    if (span + tables > span_allowed() && shift > SHIFT_MIN)
        return false;
    base = sm_pages_reserve(span);
    table = base ? sm_pages_reserve_table(tables) : NULL;
    if (!table) {
        if (base)
            sm_pages_unmap(base, span);
        return false;
    }
    sm_arena.part_shift = shift;
    sm_arena.state = (uint16_t *)table;
    sm_arena.pages = (struct sm_page *)(table + state_bytes(span));
    sm_arena.bins = (uint8_t *)table + state_bytes(span) + page_bytes(span);
    sm_arena.base = (uintptr_t)base;
    sm_arena.state_bias = (uintptr_t)table - ((uintptr_t)base >> (SM_GRANULE_SHIFT - 1));
    for (unsigned p = 0; p < SM_PARTS; p++) {
        struct sm_partition *part = &sm_arena.part[p];
        /* Page 0 of a partition is never used: 0 ends a list, and a guard is below. */
        part->first = p * sm_part_pages() + (uint32_t)(sm_os_page >> SM_PAGE_SHIFT);
        part->end = (p + 1) * sm_part_pages() - SM_PART_TAIL;
        part->frontier = part->mapped = part->committed = part->first;
    }
    /* Last: with it the arena exists for everybody. */
    __atomic_store_n(&sm_arena.span, span, __ATOMIC_RELEASE);
    return true;
}

bool sm_arena_init(void)
{
    unsigned shift = SHIFT_MIN;

    sm_arena.cap = sm_config.arena_size;
    /* A partition may come to the cap but for its last pages: most caps are powers of two. */
    while (((size_t)1 << shift) < sm_max(sm_arena.cap, PART_SPAN_MIN))
        shift++;
    while (!reserve(shift)) {
        if (--shift < SHIFT_MIN)
            return false;
        sm_arena.cap = sm_min(sm_arena.cap, ((size_t)1 << shift) - 4 * sm_os_page);
    }
    sm_stats.cap = sm_arena.cap;
    return true;
}

/* Of the pages from one to before another, the parts of all tables. */
static void unlock_tables(uint32_t from, uint32_t to)
{
    const struct {
        const void *table;
        size_t size;
    } tables[] = {
        {sm_arena.pages, sizeof(*sm_arena.pages)},
        {sm_arena.state, SM_STATES_PER_PAGE * sizeof(*sm_arena.state)},
        {sm_arena.bins, sizeof(*sm_arena.bins)},
    };

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        uintptr_t start = (uintptr_t)tables[i].table + from * tables[i].size;
        uintptr_t end = (uintptr_t)tables[i].table + to * tables[i].size;
        start &= ~(sm_os_page - 1);
        sm_pages_unlock((void *)start, sm_round_up(end, sm_os_page) - start);
    }
}

void sm_arena_unlock(void)
{
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        struct sm_partition *part = &sm_arena.part[p];
        sm_lock_take(&part->lock);
        sm_pages_unlock(sm_page_address(part->mapped),
                        (size_t)(part->end + SM_PART_TAIL - part->mapped) << SM_PAGE_SHIFT);
        unlock_tables(p * sm_part_pages(), part->end + SM_PART_TAIL);
        sm_lock_drop(&part->lock);
    }
}

static unsigned list_of(uint32_t pages)
{
    unsigned log;

    if (pages <= 16)
        return pages - 1;
    log = 31 - (unsigned)__builtin_clz(pages); /* 4: 17 to 31 */
    return sm_min(16 + log - 4, SM_RUN_LISTS - 1);
}

static struct sm_partition *partition_of(uint32_t page)
{
    return &sm_arena.part[page >> (sm_arena.part_shift - SM_PAGE_SHIFT)];
}

static void list_add(uint32_t page, uint32_t pages)
{
    struct sm_partition *part = partition_of(page);
    struct sm_page *head = &sm_arena.pages[page], *tail = head + pages - 1;
    uint32_t *list = &part->free[list_of(pages)];

    head->use = tail->use = SM_USE_FREE;
    head->pages = tail->pages = pages;
    head->prev = 0;
    head->next = *list;
    if (*list)
        sm_arena.pages[*list].prev = page;
    *list = page;
    part->free_pages += pages;
}

static void list_remove(uint32_t page)
{
    struct sm_partition *part = partition_of(page);
    struct sm_page *head = &sm_arena.pages[page];

    if (head->prev)
        sm_arena.pages[head->prev].next = head->next;
    else
        part->free[list_of(head->pages)] = head->next;
    if (head->next)
        sm_arena.pages[head->next].prev = head->prev;
    part->free_pages -= head->pages;
    head->use = head[head->pages - 1].use = SM_USE_NONE;
}

static uint32_t skip_to(uint32_t page, uint32_t align)
{
    uintptr_t at = (sm_arena.base >> SM_PAGE_SHIFT) + page;

    return (uint32_t)((align - (at & (align - 1))) & (align - 1));
}

/* How many pages to skip in a free run so that pages fit at the alignment; -1: no room */
static long fit(uint32_t page, uint32_t have, uint32_t pages, uint32_t align)
{
    uint32_t skip = skip_to(page, align);

    return have >= pages && have - pages >= skip ? (long)skip : -1;
}

static uint32_t take_listed(struct sm_partition *part, uint32_t pages, uint32_t align)
{
    for (unsigned l = list_of(pages); l < SM_RUN_LISTS; l++) {
        for (uint32_t page = part->free[l]; page; page = sm_arena.pages[page].next) {
            uint32_t have = sm_arena.pages[page].pages;
            long skip = fit(page, have, pages, align);
            if (skip < 0)
                continue;
            list_remove(page);
            if (skip)
                list_add(page, (uint32_t)skip);
            page += (uint32_t)skip;
            have -= (uint32_t)skip;
            if (have > pages)
                list_add(page + pages, have - pages);
            return page;
        }
    }
    return 0;
}

static uint32_t take_frontier(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page = part->frontier;
    uint32_t skip = skip_to(page, align);
    uint32_t need = pages + skip;

    if (need < pages)
        return sm_short_of(SM_SHORT_CAP);
    if (part->mapped - part->frontier < need &&
        !sm_backing_grow(p, need - (part->mapped - part->frontier)))
        return 0;
    part->frontier += need;
    if (skip)
        list_add(page, skip);
    return page + skip;
}

/* Its neighbours are free too? One run of them. */
static void give(struct sm_partition *part, uint32_t page, uint32_t pages)
{
    struct sm_page *neighbour;

    for (uint32_t i = page; i < page + pages; i++)
        sm_arena.pages[i].use = SM_USE_NONE;
    neighbour = &sm_arena.pages[page - 1];
    if (page > part->first &&
        __atomic_load_n(&neighbour->use, __ATOMIC_RELAXED) == SM_USE_FREE) {
        uint32_t before = neighbour->pages;
        list_remove(page - before);
        page -= before;
        pages += before;
    }
    neighbour = &sm_arena.pages[page + pages];
    if (page + pages < part->frontier &&
        __atomic_load_n(&neighbour->use, __ATOMIC_RELAXED) == SM_USE_FREE) {
        uint32_t after = neighbour->pages;
        list_remove(page + pages);
        pages += after;
    }
    list_add(page, pages);
}

/* A kept run becomes a free one. */
static void release(struct sm_partition *part, unsigned length)
{
    uint32_t page = part->kept[length], total = length + sm_guard_pages();

    part->kept[length] = sm_arena.pages[page].next;
    part->kept_pages -= total;
    /* If the guard cannot be lifted it stays, and nothing uses it. */
    give(part, page, sm_guard_lift(page + length) ? total : length);
}

/* Free runs, and kept ones where one alone is long enough */
static uint32_t take_used(struct sm_partition *part, uint32_t pages, uint32_t align)
{
    uint32_t page = take_listed(part, pages, align);
    unsigned length = pages > sm_guard_pages() ? pages - sm_guard_pages() : 1;

    for (; !page && part->kept_pages && length <= SM_KEPT_PAGES; length++) {
        if (!part->kept[length])
            continue;
        release(part, length);
        page = take_listed(part, pages, align);
    }
    return page;
}

static void release_all(struct sm_partition *part)
{
    for (unsigned length = 1; length <= SM_KEPT_PAGES; length++) {
        while (part->kept[length])
            release(part, length);
    }
}

/* What was used before, before what is mapped and unused, before more is mapped */
static uint32_t take(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page = take_used(part, pages, align);

    if (!page && part->mapped - part->frontier < pages && part->kept_pages) {
        release_all(part);
        page = take_listed(part, pages, align);
    }
    if (!page)
        page = take_frontier(p, pages, align);
    if (!page && part->kept_pages) {
        release_all(part);
        page = take_listed(part, pages, align);
    }
    return page;
}

uint32_t sm_run_take(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page;

    sm_lock_take(&part->lock);
    page = take(p, pages, align);
    sm_lock_drop(&part->lock);
    return page;
}

uint32_t sm_run_take_present(unsigned p, uint32_t pages)
{
    uint32_t page = sm_run_take(p, pages, 1);

    /* Slow, and nobody else's business: without the lock. */
    if (page && !sm_backing_present(page, pages)) {
        sm_run_give(page, pages);
        return 0;
    }
    return page;
}

void sm_run_give(uint32_t page, uint32_t pages)
{
    struct sm_partition *part = partition_of(page);

    sm_lock_take(&part->lock);
    give(part, page, pages);
    sm_lock_drop(&part->lock);
}

bool sm_run_extend(uint32_t page, uint32_t pages, uint32_t more)
{
    struct sm_partition *part = partition_of(page);
    uint32_t next = page + pages, have = 0;
    bool got = false;

    sm_lock_take(&part->lock);
    if (next < part->frontier &&
        __atomic_load_n(&sm_arena.pages[next].use, __ATOMIC_RELAXED) == SM_USE_FREE) {
        have = sm_arena.pages[next].pages;
        if (have >= more) {
            list_remove(next);
            if (have > more)
                list_add(next + more, have - more);
            got = true;
        }
    } else if (next == part->frontier && part->mapped - next >= more) {
        part->frontier += more;
        got = true;
    }
    sm_lock_drop(&part->lock);
    return got;
}

uint32_t sm_run_take_kept(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page = 0;

    if (pages > SM_KEPT_PAGES)
        return 0;
    sm_lock_take(&part->lock);
    page = part->kept[pages];
    if (page && skip_to(page, align) == 0) {
        part->kept[pages] = sm_arena.pages[page].next;
        part->kept_pages -= pages + sm_guard_pages();
    } else {
        page = 0;
    }
    sm_lock_drop(&part->lock);
    return page;
}

void sm_run_keep(uint32_t page, uint32_t pages)
{
    struct sm_partition *part = partition_of(page);
    struct sm_page *head = &sm_arena.pages[page];

    if (pages > SM_KEPT_PAGES || sm_guard_scarce()) {
        sm_run_give(page, pages + (sm_guard_lift(page + pages) ? sm_guard_pages() : 0));
        return;
    }
    sm_lock_take(&part->lock);
    __atomic_store_n(&head->use, SM_USE_KEPT, __ATOMIC_RELAXED);
    head->pages = pages;
    head->next = part->kept[pages];
    part->kept[pages] = page;
    part->kept_pages += pages + sm_guard_pages();
    sm_lock_drop(&part->lock);
}

size_t sm_arena_prefault(unsigned p, size_t bytes)
{
    struct sm_partition *part = &sm_arena.part[p];
    size_t mapped = __atomic_load_n(&sm_arena.mapped, __ATOMIC_RELAXED);
    size_t room = (sm_arena.cap - sm_min(mapped, sm_arena.cap)) >> SM_PAGE_SHIFT;
    size_t wanted = sm_round_up(bytes, sm_os_page) >> SM_PAGE_SHIFT;
    /* What cannot fit is not tried: that would be reported as a full arena. */
    uint32_t pages = (uint32_t)sm_min(wanted, room + part->mapped - part->frontier), page = 0;

    /* As much as there is: half the wish is better than nothing. */
    while (pages && !(page = sm_run_take_present(p, pages)))
        pages /= 2;
    if (page)
        sm_run_give(page, pages);
    return (size_t)pages << SM_PAGE_SHIFT;
}

bool sm_arena_inherit(bool on)
{
    bool good = true;

    /* Where madvise is forbidden, what holds since then (sm_seal_begin) has to do. */
    if (sm_seccomp_forbids(SM_CALL_MADVISE))
        return true;
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        struct sm_partition *part = &sm_arena.part[p];
        size_t length = (size_t)(part->mapped - part->first) << SM_PAGE_SHIFT;
        bool withheld = sm_config.fork == SM_FORK_DENY && p == SM_PART_BYTES;
        if (length && !(on && withheld))
            good = sm_pages_inherit(sm_page_address(part->first), length, on) == 0 && good;
    }
    return sm_outside_inherit(on) && good;
}

void sm_partition_rebuild(unsigned p)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t run = 0;

    sm_lock_reset(&part->lock);
    memset(part->free, 0, sizeof(part->free));
    memset(part->kept, 0, sizeof(part->kept));
    part->free_pages = part->kept_pages = 0;
    for (uint32_t page = part->first; page <= part->frontier; page++) {
        bool is_free = page < part->frontier && (sm_arena.pages[page].use == SM_USE_FREE ||
                                                 sm_arena.pages[page].use == SM_USE_NONE);
        if (is_free) {
            sm_arena.pages[page].use = SM_USE_NONE;
            run = run ? run : page;
        } else if (run) {
            list_add(run, page - run);
            run = 0;
        }
    }
}
