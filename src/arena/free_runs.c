/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/free_runs.h"
#include <string.h>

unsigned sm_run_list_of(uint32_t pages)
{
    unsigned log;

    if (pages <= 16)
        return pages - 1;
    log = 31 - (unsigned)__builtin_clz(pages); /* 4: 17 to 31 */
    return (unsigned)sm_min(16 + log - 4, SM_RUN_LISTS - 1);
}

uint32_t sm_pages_to(uint32_t page, uint32_t align)
{
    uintptr_t at = (sm_arena.base >> SM_PAGE_SHIFT) + page;

    return (uint32_t)((align - (at & (align - 1))) & (align - 1));
}

static void mark_edges(uint32_t page, uint32_t pages, enum sm_use use)
{
    struct sm_page *head = &sm_arena.pages[page], *tail = head + pages - 1;

    head->use = tail->use = (uint8_t)use;
    head->pages = tail->pages = pages;
}

static void free_list(struct sm_partition *part, uint32_t page, uint32_t pages)
{
    unsigned band = sm_band_of(page), list = sm_run_list_of(pages);

    mark_edges(page, pages, SM_USE_FREE);
    sm_list_add(&part->free[band][list], page);
    part->lists[band] |= 1U << list;
    part->free_pages += pages;
    part->may_empty = part->may_empty || pages >= sm_arena.chunk - 1;
}

void sm_free_remove(struct sm_partition *part, uint32_t page)
{
    struct sm_page *head = &sm_arena.pages[page];
    unsigned band = sm_band_of(page), list = sm_run_list_of(head->pages);

    sm_list_remove(&part->free[band][list], page);
    if (!part->free[band][list])
        part->lists[band] &= ~(1U << list);
    part->free_pages -= head->pages;
    head->use = head[head->pages - 1].use = SM_USE_NONE;
}

/* The first page of the run or hole that ends before a page, or that page if there is none. */
static uint32_t run_before(const struct sm_partition *part, uint32_t page, enum sm_use use)
{
    if (page == part->first || !sm_edge_is(page - 1, use))
        return page;
    return page - sm_arena.pages[page - 1].pages;
}

static bool follows(const struct sm_partition *part, uint32_t page, enum sm_use use)
{
    return page < part->top && sm_edge_is(page, use);
}

void sm_free_add(struct sm_partition *part, uint32_t page, uint32_t pages)
{
    uint32_t from = run_before(part, page, SM_USE_FREE), end = page + pages;

    for (uint32_t i = page; i < end; i++)
        sm_arena.pages[i].use = SM_USE_NONE;
    if (from != page)
        sm_free_remove(part, from);
    if (follows(part, end, SM_USE_FREE)) {
        uint32_t after = sm_arena.pages[end].pages;
        sm_free_remove(part, end);
        end += after;
    }
    free_list(part, from, end - from);
}

/* Whether a run has room for pages pages at an alignment. */
static bool has_room(uint32_t page, uint32_t pages, uint32_t align)
{
    uint32_t have = sm_arena.pages[page].pages;

    return have >= pages && have - pages >= sm_pages_to(page, align);
}

static uint32_t cut(struct sm_partition *part, uint32_t run, uint32_t pages, uint32_t align)
{
    uint32_t skip = sm_pages_to(run, align), page = run + skip;
    uint32_t end = run + sm_arena.pages[run].pages;

    sm_free_remove(part, run);
    if (skip)
        free_list(part, run, skip);
    if (end > page + pages)
        free_list(part, page + pages, end - page - pages);
    return page;
}

uint32_t sm_free_take(struct sm_partition *part, uint32_t pages, uint32_t align)
{
    uint32_t enough = ~0U << sm_run_list_of(pages);

    for (unsigned band = 0; band < SM_BANDS; band++) {
        for (uint32_t lists = part->lists[band] & enough; lists; lists &= lists - 1) {
            uint32_t page = part->free[band][__builtin_ctz(lists)];
            while (page && !has_room(page, pages, align))
                page = sm_arena.pages[page].next;
            if (page)
                return cut(part, page, pages, align);
        }
    }
    return 0;
}

static void hole_list(struct sm_partition *part, uint32_t page, uint32_t pages)
{
    mark_edges(page, pages, SM_USE_HOLE);
    sm_list_add(&part->holes[sm_band_of(page)], page);
    part->hole_pages += pages;
}

void sm_hole_remove(struct sm_partition *part, uint32_t page)
{
    struct sm_page *head = &sm_arena.pages[page];

    sm_list_remove(&part->holes[sm_band_of(page)], page);
    part->hole_pages -= head->pages;
    head->use = head[head->pages - 1].use = SM_USE_NONE;
}

void sm_hole_add(struct sm_partition *part, uint32_t page, uint32_t pages)
{
    uint32_t from = run_before(part, page, SM_USE_HOLE), end = page + pages;

    for (uint32_t i = page; i < end; i++)
        sm_arena.pages[i].use = SM_USE_NONE;
    if (from != page)
        sm_hole_remove(part, from);
    if (follows(part, end, SM_USE_HOLE)) {
        uint32_t after = sm_arena.pages[end].pages;
        sm_hole_remove(part, end);
        end += after;
    }
    hole_list(part, from, end - from);
}

uint32_t sm_hole_find(const struct sm_partition *part, uint32_t pages, uint32_t align)
{
    for (unsigned band = 0; band < SM_BANDS && part->hole_pages; band++) {
        uint32_t page = part->holes[band];
        while (page && !has_room(page, pages, align))
            page = sm_arena.pages[page].next;
        if (page)
            return page;
    }
    return 0;
}

void sm_free_reset(struct sm_partition *part)
{
    memset(part->lists, 0, sizeof(part->lists));
    memset(part->free, 0, sizeof(part->free));
    memset(part->holes, 0, sizeof(part->holes));
    part->free_pages = part->hole_pages = 0;
}
