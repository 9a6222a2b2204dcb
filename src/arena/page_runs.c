/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/page_runs.h"
#include "arena/backing.h"
#include "arena/guard_pages.h"
#include "arena/shortage.h"
#include "os/pages.h"
#include <string.h>

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

static void run_list_add(uint32_t page, uint32_t pages)
{
    struct sm_partition *part = partition_of(page);
    struct sm_page *head = &sm_arena.pages[page], *tail = head + pages - 1;

    head->use = tail->use = SM_USE_FREE;
    head->pages = tail->pages = pages;
    sm_list_add(&part->free[list_of(pages)], page);
    part->free_pages += pages;
}

static void run_list_remove(uint32_t page)
{
    struct sm_partition *part = partition_of(page);
    struct sm_page *head = &sm_arena.pages[page];

    sm_list_remove(&part->free[list_of(head->pages)], page);
    part->free_pages -= head->pages;
    head->use = head[head->pages - 1].use = SM_USE_NONE;
}

static uint32_t skip_to(uint32_t page, uint32_t align)
{
    uintptr_t at = (sm_arena.base >> SM_PAGE_SHIFT) + page;

    return (uint32_t)((align - (at & (align - 1))) & (align - 1));
}

/*
 * Returns the number of pages to skip in a free run so that pages pages fit at the alignment,
 * or -1 if there is no room.
 */
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
            run_list_remove(page);
            if (skip)
                run_list_add(page, (uint32_t)skip);
            page += (uint32_t)skip;
            have -= (uint32_t)skip;
            if (have > pages)
                run_list_add(page + pages, have - pages);
            return page;
        }
    }
    return 0;
}

static uint32_t take_top(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page = part->top;
    uint32_t skip = skip_to(page, align);
    uint32_t need = pages + skip;

    if (need < pages)
        return sm_short_of(SM_SHORT_CAP);
    if (part->mapped - part->top < need &&
        !sm_backing_grow(p, need - (part->mapped - part->top)))
        return 0;
    part->top += need;
    if (skip)
        run_list_add(page, skip);
    return page + skip;
}

/* Gives back a run and coalesces it with free neighbours. */
static void run_give(struct sm_partition *part, uint32_t page, uint32_t pages)
{
    struct sm_page *neighbour;

    for (uint32_t i = page; i < page + pages; i++)
        sm_arena.pages[i].use = SM_USE_NONE;
    neighbour = &sm_arena.pages[page - 1];
    if (page > part->first &&
        __atomic_load_n(&neighbour->use, __ATOMIC_RELAXED) == SM_USE_FREE) {
        uint32_t before = neighbour->pages;
        run_list_remove(page - before);
        page -= before;
        pages += before;
    }
    neighbour = &sm_arena.pages[page + pages];
    if (page + pages < part->top &&
        __atomic_load_n(&neighbour->use, __ATOMIC_RELAXED) == SM_USE_FREE) {
        uint32_t after = neighbour->pages;
        run_list_remove(page + pages);
        pages += after;
    }
    run_list_add(page, pages);
}

/* Turns a retained run into a free run. */
static void run_release(struct sm_partition *part, unsigned length)
{
    uint32_t page = part->retained[length], total = length + sm_guard_pages();

    part->retained[length] = sm_arena.pages[page].next;
    part->retained_pages -= total;
    /* A guard that cannot be lifted stays, and its page is not used. */
    run_give(part, page, sm_guard_lift(page + length) ? total : length);
}

/* Takes from free runs, and from retained runs where one run is long enough. */
static uint32_t take_used(struct sm_partition *part, uint32_t pages, uint32_t align)
{
    uint32_t page = take_listed(part, pages, align);
    unsigned length = pages > sm_guard_pages() ? pages - sm_guard_pages() : 1;

    for (; !page && part->retained_pages && length <= SM_RETAINED_PAGES; length++) {
        if (!part->retained[length])
            continue;
        run_release(part, length);
        page = take_listed(part, pages, align);
    }
    return page;
}

static void release_all(struct sm_partition *part)
{
    for (unsigned length = 1; length <= SM_RETAINED_PAGES; length++) {
        while (part->retained[length])
            run_release(part, length);
    }
}

/* Prefers used memory to mapped unused memory, and both to mapping more. */
static uint32_t run_take(unsigned p, uint32_t pages, uint32_t align)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t page = take_used(part, pages, align);

    if (!page && part->mapped - part->top < pages && part->retained_pages) {
        release_all(part);
        page = take_listed(part, pages, align);
    }
    if (!page)
        page = take_top(p, pages, align);
    if (!page && part->retained_pages) {
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
    page = run_take(p, pages, align);
    sm_lock_drop(&part->lock);
    return page;
}

uint32_t sm_run_take_present(unsigned p, uint32_t pages)
{
    uint32_t page = sm_run_take(p, pages, 1);

    /* Called without the lock, because populating is slow and concerns no other thread. */
    if (page && !sm_backing_populate(page, pages)) {
        sm_run_give(page, pages);
        return 0;
    }
    return page;
}

void sm_run_give(uint32_t page, uint32_t pages)
{
    struct sm_partition *part = partition_of(page);

    sm_lock_take(&part->lock);
    run_give(part, page, pages);
    sm_lock_drop(&part->lock);
}

bool sm_run_extend(uint32_t page, uint32_t pages, uint32_t more)
{
    struct sm_partition *part = partition_of(page);
    uint32_t next = page + pages, have = 0;
    bool got = false;

    sm_lock_take(&part->lock);
    if (next < part->top &&
        __atomic_load_n(&sm_arena.pages[next].use, __ATOMIC_RELAXED) == SM_USE_FREE) {
        have = sm_arena.pages[next].pages;
        if (have >= more) {
            run_list_remove(next);
            if (have > more)
                run_list_add(next + more, have - more);
            got = true;
        }
    } else if (next == part->top && part->mapped - next >= more) {
        part->top += more;
        got = true;
    }
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
    if (page && skip_to(page, align) == 0) {
        part->retained[pages] = sm_arena.pages[page].next;
        part->retained_pages -= pages + sm_guard_pages();
    } else {
        page = 0;
    }
    sm_lock_drop(&part->lock);
    return page;
}

void sm_run_retain(uint32_t page, uint32_t pages)
{
    struct sm_partition *part = partition_of(page);
    struct sm_page *head = &sm_arena.pages[page];

    if (pages > SM_RETAINED_PAGES || sm_guard_scarce()) {
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
    if (page)
        sm_run_give(page, pages);
    return (size_t)pages << SM_PAGE_SHIFT;
}

void sm_partition_rebuild(unsigned p)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t run = 0;

    sm_lock_reset(&part->lock);
    memset(part->free, 0, sizeof(part->free));
    memset(part->retained, 0, sizeof(part->retained));
    part->free_pages = part->retained_pages = 0;
    for (uint32_t page = part->first; page <= part->top; page++) {
        bool is_free = page < part->top && (sm_arena.pages[page].use == SM_USE_FREE ||
                                            sm_arena.pages[page].use == SM_USE_NONE);
        if (is_free) {
            sm_arena.pages[page].use = SM_USE_NONE;
            run = run ? run : page;
        } else if (run) {
            run_list_add(run, page - run);
            run = 0;
        }
    }
}
