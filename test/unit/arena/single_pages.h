/* SPDX-License-Identifier: Apache-2.0 */
/* Single pages of the arena, for the tests of where they come from. */
#ifndef UNIT_ARENA_SINGLE_PAGES_H
#define UNIT_ARENA_SINGLE_PAGES_H

#include "arena/page_runs.h"
#include "base/counters.h"
#include "support.h"
#include <string.h>

static inline void start(size_t arena_size)
{
    start_heap_of(arena_size);
    CHECK(sm_arena_init());
}

/*
 * Takes single pages, writes to them, and counts them by kind. Returns how many there were.
 * What the allocator counts are whole pages of the kernel.
 */
static inline unsigned take_pages(unsigned part, unsigned most, unsigned kinds[SM_KINDS])
{
    unsigned n = 0;

    memset(kinds, 0, SM_KINDS * sizeof(*kinds));
    for (; n < most; n++) {
        uint32_t page = sm_run_take_present(part, 1);
        if (!page)
            break;
        CHECK(sm_arena.pages[page].present);
        CHECK(all_bytes(sm_page_address(page), 0, SM_PAGE));
        memset(sm_page_address(page), 0x5a, SM_PAGE);
        kinds[sm_arena.pages[page].kind]++;
    }
    for (int kind = 0; kind < SM_KINDS; kind++)
        CHECK(sm_stats.pages[kind] == whole_pages(kinds[kind] * SM_PAGE));
    return n;
}

#endif
