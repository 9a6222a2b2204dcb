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

/* A span is a free run or a hole, and its use says which. */
static void span_list(struct sm_partition *part, uint32_t page, uint32_t pages, enum sm_use use)
{
    struct sm_page *head = &sm_arena.pages[page], *tail = head + pages - 1;
    unsigned band = sm_band_of(page), list = sm_run_list_of(pages);

    head->use = tail->use = (uint8_t)use;
    head->pages = tail->pages = pages;
    if (use == SM_USE_HOLE) {
        sm_list_add(&part->holes[band], page);
        part->hole_pages += pages;
        return;
    }
    sm_list_add(&part->free[band][list], page);
    part->lists[band] |= 1U << list;
    part->free_pages += pages;
    part->may_empty = part->may_empty || pages >= sm_arena.chunk - 1;
}

static void span_remove(struct sm_partition *part, uint32_t page, enum sm_use use)
{
    struct sm_page *head = &sm_arena.pages[page];
    unsigned band = sm_band_of(page), list = sm_run_list_of(head->pages);

    head->use = head[head->pages - 1].use = SM_USE_NONE;
    if (use == SM_USE_HOLE) {
        sm_list_remove(&part->holes[band], page);
        part->hole_pages -= head->pages;
        return;
    }
    sm_list_remove(&part->free[band][list], page);
    if (!part->free[band][list])
        part->lists[band] &= ~(1U << list);
    part->free_pages -= head->pages;
}

/* The first page of the span that ends before a page, or that page if there is none. */
static uint32_t span_before(const struct sm_partition *part, uint32_t page, enum sm_use use)
{
    if (page == part->first || !sm_edge_is(page - 1, use))
        return page;
    return page - sm_arena.pages[page - 1].pages;
}

static void span_add(struct sm_partition *part, uint32_t page, uint32_t pages, enum sm_use use)
{
    uint32_t from = span_before(part, page, use), end = page + pages;

    for (uint32_t i = page; i < end; i++)
        sm_arena.pages[i].use = SM_USE_NONE;
    if (from != page)
        span_remove(part, from, use);
    if (end < part->top && sm_edge_is(end, use)) {
        uint32_t after = sm_arena.pages[end].pages;
        span_remove(part, end, use);
        end += after;
    }
    span_list(part, from, end - from, use);
}

void sm_free_add(struct sm_partition *part, uint32_t page, uint32_t pages)
{
    span_add(part, page, pages, SM_USE_FREE);
}

void sm_free_remove(struct sm_partition *part, uint32_t page)
{
    span_remove(part, page, SM_USE_FREE);
}

void sm_hole_add(struct sm_partition *part, uint32_t page, uint32_t pages)
{
    span_add(part, page, pages, SM_USE_HOLE);
}

void sm_hole_remove(struct sm_partition *part, uint32_t page)
{
    span_remove(part, page, SM_USE_HOLE);
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
        span_list(part, run, skip, SM_USE_FREE);
    if (end > page + pages)
        span_list(part, page + pages, end - page - pages, SM_USE_FREE);
    return page;
}

bool sm_free_take_at(struct sm_partition *part, uint32_t run, uint32_t pages)
{
    return has_room(run, pages, 1) && cut(part, run, pages, 1) != 0;
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

void sm_free_note_low(struct sm_partition *part)
{
    part->free_low = (uint32_t)sm_min(part->free_low, part->free_pages + part->retained_pages);
}

void sm_free_reset(struct sm_partition *part)
{
    memset(part->lists, 0, sizeof(part->lists));
    memset(part->free, 0, sizeof(part->free));
    memset(part->holes, 0, sizeof(part->holes));
    part->free_pages = part->hole_pages = 0;
}
