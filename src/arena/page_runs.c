/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/page_runs.h"
#include "arena/backing.h"
#include "arena/empty.h"
#include "arena/free_runs.h"
#include "arena/grow.h"
#include "arena/guard_pages.h"
#include "arena/shortage.h"
#include <limits.h>
#include <string.h>

static struct sm_partition *partition_of(uint32_t page)
{
    return &sm_arena.part[page >> (sm_arena.part_shift - SM_PAGE_SHIFT)];
}

static uint32_t take_top(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page = part->top;
    uint32_t skip = sm_pages_to(page, align);
    uint32_t need = pages + skip;

    if (need < pages)
        return sm_short_of(SM_SHORT_CAP);
    if (part->mapped - part->top < need &&
        !sm_backing_grow(p, need - (part->mapped - part->top)))
        return 0;
    part->top += need;
    if (skip)
        sm_free_add(part, page, skip);
    return page + skip;
}

/* Maps memory in a part of a hole. Returns false if there is none. */
static bool fill(unsigned p, uint32_t hole, uint32_t from, uint32_t pages)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t end = hole + sm_arena.pages[hole].pages;
    uint32_t got = sm_backing_fill(p, from, pages, end - from);

    if (got == 0)
        return false;
    sm_hole_remove(part, hole);
    if (from > hole)
        sm_hole_add(part, hole, from - hole);
    if (end > from + got)
        sm_hole_add(part, from + got, end - from - got);
    sm_free_add(part, from, got);
    return got >= pages;
}

static uint32_t take_hole(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t hole = sm_hole_find(part, pages, align), page, from;

    if (!hole)
        return 0;
    page = hole + sm_pages_to(hole, align);
    from = (uint32_t)sm_max(hole, sm_chunk_of(page));
    return fill(p, hole, from, page + pages - from) ? sm_free_take(part, pages, align) : 0;
}

/* Turns a retained run into a free run. */
static void run_release(struct sm_partition *part, unsigned length)
{
    uint32_t page = part->retained[length], total = length + sm_guard_pages();

    part->retained[length] = sm_arena.pages[page].next;
    part->retained_pages -= total;
    /* A guard that cannot be lifted stays, and its page is not used. */
    sm_free_add(part, page, sm_guard_lift(page + length) ? total : length);
}

/* Takes from free runs, and from retained runs where one run is long enough. */
static uint32_t take_used(struct sm_partition *part, uint32_t pages, uint32_t align)
{
    uint32_t page = sm_free_take(part, pages, align);
    unsigned length = pages > sm_guard_pages() ? pages - sm_guard_pages() : 1;

    for (; !page && part->retained_pages && length <= SM_RETAINED_PAGES; length++) {
        if (!part->retained[length])
            continue;
        run_release(part, length);
        page = sm_free_take(part, pages, align);
    }
    return page;
}

/* Releases up to count retained runs, the longest first. Returns whether there were any. */
static bool release_some(struct sm_partition *part, unsigned count)
{
    bool any = false;

    for (unsigned length = SM_RETAINED_PAGES; length > 0; length--) {
        for (; part->retained[length] && count > 0; count--, any = true)
            run_release(part, length);
    }
    return any;
}

static void release_all(struct sm_partition *part)
{
    release_some(part, UINT_MAX);
}

bool sm_run_release(unsigned p, unsigned count)
{
    struct sm_partition *part = &sm_arena.part[p];
    bool any;

    sm_lock_take(&part->lock);
    any = release_some(part, count);
    sm_lock_drop(&part->lock);
    return any;
}

/* Takes memory that is mapped and was never used, or maps more, in a hole first. */
static uint32_t take_fresh(unsigned p, uint32_t pages, uint32_t align)
{
    const struct sm_partition *part = &sm_arena.part[p];
    uint32_t page = 0;

    if (part->mapped - part->top < pages)
        page = take_hole(p, pages, align);
    return page ? page : take_top(p, pages, align);
}

/* Prefers used memory to mapped unused memory, and both to mapping more. */
static uint32_t run_take(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page = take_used(part, pages, align);

    if (!page && part->mapped - part->top < pages && part->retained_pages) {
        release_all(part);
        page = sm_free_take(part, pages, align);
    }
    if (!page)
        page = take_fresh(p, pages, align);
    if (!page && part->retained_pages) {
        release_all(part);
        page = sm_free_take(part, pages, align);
    }
    /* Free memory that is scattered is exchanged for memory in one place. */
    if (!page && part->may_empty && part->free_pages + part->hole_pages >= pages &&
        sm_free_empty(p, UINT32_MAX, sm_empty_kinds(p)))
        page = take_fresh(p, pages, align);
    sm_free_note_low(part);
    return page;
}

/* Empties what is free in the other partitions, because all share the arena's cap. */
static bool empty_others(unsigned p)
{
    uint32_t emptied = 0;
    unsigned kinds;

    for (unsigned other = 0; other < SM_PARTS; other++) {
        struct sm_partition *part = &sm_arena.part[other];
        if (other == p || part->mapped == part->first)
            continue;
        sm_lock_take(&part->lock);
        /* The kinds are asked for last, because a page is mapped for it. */
        if ((part->retained_pages || part->may_empty) && (kinds = sm_empty_kinds(other)) != 0) {
            release_all(part);
            emptied += sm_free_empty(other, UINT32_MAX, kinds);
        }
        sm_lock_drop(&part->lock);
    }
    return emptied != 0;
}

static uint32_t take_locked(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page;

    sm_lock_take(&part->lock);
    page = run_take(p, pages, align);
    sm_lock_drop(&part->lock);
    return page;
}

uint32_t sm_run_take(unsigned p, uint32_t pages, uint32_t align)
{
    uint32_t page = take_locked(p, pages, align);

    if (!page && sm_short_now.why == SM_SHORT_CAP && empty_others(p))
        page = take_locked(p, pages, align);
    return page;
}

uint32_t sm_run_take_present(unsigned p, uint32_t pages)
{
    uint32_t page = sm_run_take(p, pages, 1);

    /* Called without the lock, because populating is slow and concerns no other thread. */
    if (page && !sm_backing_populate(page, pages)) {
        sm_run_give_failed(page, pages);
        return 0;
    }
    return page;
}

void sm_run_give(uint32_t page, uint32_t pages)
{
    struct sm_partition *part = partition_of(page);

    sm_lock_take(&part->lock);
    sm_free_add(part, page, pages);
    sm_lock_drop(&part->lock);
}

void sm_run_give_failed(uint32_t page, uint32_t pages)
{
    struct sm_partition *part = partition_of(page);
    unsigned p = (unsigned)(part - sm_arena.part);

    sm_lock_take(&part->lock);
    sm_free_add(part, page, pages);
    if (pages >= sm_arena.chunk && sm_empty_is_reversible(p)) {
        part->may_empty = true;
        sm_free_empty(p, pages, SM_KINDS_ALL);
    }
    sm_lock_drop(&part->lock);
}

bool sm_run_extend(uint32_t page, uint32_t pages, uint32_t more)
{
    struct sm_partition *part = partition_of(page);
    uint32_t next = page + pages;
    bool got = false;

    sm_lock_take(&part->lock);
    if (next < part->top && sm_edge_is(next, SM_USE_HOLE) && sm_arena.pages[next].pages >= more)
        fill((unsigned)(part - sm_arena.part), next, next, more);
    if (next < part->top && sm_edge_is(next, SM_USE_FREE)) {
        got = sm_free_take_at(part, next, more);
    } else if (next == part->top) {
        uint32_t have = part->mapped - next;
        got = have >= more || sm_backing_grow((unsigned)(part - sm_arena.part), more - have);
        part->top += got ? more : 0;
    }
    sm_free_note_low(part);
    sm_lock_drop(&part->lock);
    return got;
}

uint32_t sm_run_take_retained(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page = 0;

    if (pages > SM_RETAINED_PAGES)
        return 0;
    sm_lock_take(&part->lock);
    page = part->retained[pages];
    if (page && sm_pages_to(page, align) == 0) {
        part->retained[pages] = sm_arena.pages[page].next;
        part->retained_pages -= pages + sm_guard_pages();
    } else {
        page = 0;
    }
    sm_free_note_low(part);
    sm_lock_drop(&part->lock);
    return page;
}

void sm_run_retain(uint32_t page, uint32_t pages)
{
    struct sm_partition *part = partition_of(page);
    struct sm_page *head = &sm_arena.pages[page];

    if (pages > SM_RETAINED_PAGES || __atomic_load_n(&part->surplus, __ATOMIC_RELAXED) != 0) {
        sm_run_give(page, pages + (sm_guard_lift(page + pages) ? sm_guard_pages() : 0));
        return;
    }
    sm_lock_take(&part->lock);
    __atomic_store_n(&head->use, SM_USE_RETAINED, __ATOMIC_RELAXED);
    head->pages = pages;
    head->next = part->retained[pages];
    part->retained[pages] = page;
    part->retained_pages += pages + sm_guard_pages();
    sm_lock_drop(&part->lock);
}

size_t sm_arena_prefault(unsigned p, size_t bytes)
{
    struct sm_partition *part = &sm_arena.part[p];
    size_t mapped = __atomic_load_n(&sm_arena.mapped, __ATOMIC_RELAXED);
    size_t room = (sm_arena.cap - sm_min(mapped, sm_arena.cap)) >> SM_PAGE_SHIFT;
    size_t wanted = sm_round_up(bytes, sm_os_page) >> SM_PAGE_SHIFT;
    /* Tries only what fits, because a failure would be reported as a full arena. */
    uint32_t pages = (uint32_t)sm_min(wanted, room + part->mapped - part->top), page = 0;

    /* Takes as much as there is, because half the wish is better than nothing. */
    while (pages && !(page = sm_run_take_present(p, pages)))
        pages /= 2;
    if (!page)
        return 0;
    sm_run_give(page, pages);
    sm_lock_take(&part->lock);
    part->ahead = (uint32_t)sm_max(part->ahead, pages);
    sm_lock_drop(&part->lock);
    return (size_t)pages << SM_PAGE_SHIFT;
}

/* FREE or HOLE, if a page belongs to no run, else NONE. */
static enum sm_use free_use(const struct sm_partition *part, uint32_t page)
{
    uint8_t use = sm_arena.pages[page].use;

    if (page >= part->top || (use != SM_USE_FREE && use != SM_USE_NONE && use != SM_USE_HOLE))
        return SM_USE_NONE;
    return sm_arena.pages[page].kind == SM_KIND_NONE ? SM_USE_HOLE : SM_USE_FREE;
}

void sm_partition_rebuild(unsigned p)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page, end;

    sm_lock_reset(&part->lock);
    memset(part->retained, 0, sizeof(part->retained));
    part->retained_pages = part->surplus = 0;
    sm_free_reset(part);
    for (page = part->first; page < part->top; page = end) {
        enum sm_use use = free_use(part, page);
        for (end = page + 1; free_use(part, end) == use && end < part->top; end++)
            ;
        if (use == SM_USE_HOLE)
            sm_hole_add(part, page, end - page);
        else if (use == SM_USE_FREE)
            sm_free_add(part, page, end - page);
    }
    part->free_low = part->free_pages;
}
