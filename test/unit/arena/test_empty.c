/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks are emptied and filled again, at random. */
#include "arena/backing.h"
#include "arena/empty.h"
#include "arena/free_runs.h"
#include "arena/page_runs.h"
#include "base/counters.h"
#include "os/pages.h"
#include "support.h"
#include <criterion/criterion.h>
#include <string.h>

#define PART SM_PART_KEY

static void init(void)
{
    start_heap_of(256 * SM_MIB);
}

TestSuite(empty, .init = init);

/* Random runs with memory given back at random: no page is in two of them, all new ones are
 * zero. */
#define RUNS  300
#define STEPS 30000

static struct {
    uint32_t page, pages;
} runs[RUNS];

static void check_lists(const struct sm_partition *part)
{
    uint32_t listed = 0, holes = 0, used = 0;

    for (unsigned b = 0; b < SM_BANDS; b++) {
        for (unsigned l = 0; l < SM_RUN_LISTS; l++) {
            cr_assert_eq(part->free[b][l] != 0, part->lists[b] >> l & 1);
            for (uint32_t p = part->free[b][l]; p; p = sm_arena.pages[p].next) {
                for (uint32_t i = 0; i < sm_arena.pages[p].pages; i++)
                    cr_assert_neq(sm_arena.pages[p + i].kind, SM_KIND_NONE);
                cr_assert_eq(sm_band_of(p), b);
                listed += sm_arena.pages[p].pages;
            }
        }
        for (uint32_t p = part->holes[b]; p; p = sm_arena.pages[p].next) {
            for (uint32_t i = 0; i < sm_arena.pages[p].pages; i++)
                cr_assert_eq(sm_arena.pages[p + i].kind, SM_KIND_NONE);
            holes += sm_arena.pages[p].pages;
        }
    }
    for (int i = 0; i < RUNS; i++)
        used += runs[i].pages;
    cr_assert_eq(listed, part->free_pages);
    cr_assert_eq(holes, part->hole_pages);
    cr_assert_eq(listed + used + holes, part->top - part->first);
    cr_assert_eq((size_t)(part->mapped - part->first - holes) * SM_PAGE, sm_arena.mapped);
    cr_assert_leq(part->top, part->mapped);
}

static void step(uint64_t r, int i)
{
    if (runs[i].pages) {
        cr_assert(all_bytes(sm_page_address(runs[i].page), (unsigned char)(i % 255 + 1),
                            runs[i].pages * SM_PAGE));
        memset(sm_page_address(runs[i].page), 0, runs[i].pages * SM_PAGE);
        sm_run_give(runs[i].page, runs[i].pages);
        runs[i].pages = 0;
        return;
    }
    runs[i].pages = 1 + (uint32_t)(r & 0xf000 ? r >> 24 & 15 : r >> 24 & 255);
    runs[i].page = sm_run_take(PART, runs[i].pages, r & 0xf00 ? 1 : 1U << (r >> 40 & 5));
    cr_assert_neq(runs[i].page, 0);
    cr_assert(sm_backing_populate(runs[i].page, runs[i].pages));
    for (uint32_t p = 0; p < runs[i].pages; p++)
        sm_arena.pages[runs[i].page + p].use = p ? SM_USE_BODY : SM_USE_LARGE;
    cr_assert(all_bytes(sm_page_address(runs[i].page), 0, runs[i].pages * SM_PAGE));
    memset(sm_page_address(runs[i].page), i % 255 + 1, runs[i].pages * SM_PAGE);
}

Test(empty, random_runs)
{
    struct sm_partition *part = &sm_arena.part[PART];
    uint64_t random = 3;

    cr_assert(sm_arena_init());
    for (int i = 0; i < STEPS; i++) {
        /* Half of the time there are few runs, so that chunks become empty. */
        int most = i / 3000 % 2 ? RUNS / 10 : RUNS;
        step(next_random(&random), (int)(next_random(&random) % (unsigned)most));
        if (i % 50 == 0)
            sm_free_empty(PART, (uint32_t)(next_random(&random) % 200 + 1));
        if (i % 500 == 0)
            check_lists(part);
    }
    for (int i = 0; i < RUNS; i++) {
        if (runs[i].pages)
            step(0, i);
    }
    check_lists(part);
    cr_assert_gt(sm_stats.returned_bytes, 0);
    sm_free_empty(PART, UINT32_MAX);
    cr_assert_eq(part->top, part->first, "nothing is left of it");
    cr_assert_eq(sm_arena.mapped, 0);
}

/* Whole blocks of a kernel that has them go back too. */
static void with_huge_blocks(void *arg)
{
    uint32_t page;

    (void)arg;
    start_heap_of(128 * SM_MIB);
    CHECK(sm_arena_init());
    sm_secretmem_huge_known = KERNEL_BLOCK;
    page = sm_run_take(PART, 9 * SM_MIB / SM_PAGE, 1);
    CHECK(page && sm_backing_populate(page, 9 * SM_MIB / SM_PAGE));
    sm_run_give(page, 9 * SM_MIB / SM_PAGE);
    CHECK(sm_free_empty(PART, 1) > 1);
    sm_free_empty(PART, UINT32_MAX);
    CHECK(sm_arena.part[PART].mapped - sm_arena.part[PART].first < KERNEL_BLOCK / SM_PAGE);
    CHECK(sm_run_take_present(PART, 9 * SM_MIB / SM_PAGE));
}

Test(empty, huge_blocks)
{
    cr_assert_eq(in_child(with_huge_blocks, NULL), 0);
}
