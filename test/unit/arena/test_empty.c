/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks are emptied and filled again, at random. */
#include "arena/backing.h"
#include "arena/empty.h"
#include "arena/free_runs.h"
#include "arena/page_runs.h"
#include "base/counters.h"
#include "heap/malloc.h"
#include "os/pages.h"
#include "support.h"
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#define PART SM_PART_KEY

#define LIMIT (2 * SM_MIB) /* of locked memory */

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
            sm_free_empty(PART, (uint32_t)(next_random(&random) % 200 + 1), SM_KINDS_ALL);
        if (i % 500 == 0)
            check_lists(part);
    }
    for (int i = 0; i < RUNS; i++) {
        if (runs[i].pages)
            step(0, i);
    }
    check_lists(part);
    cr_assert_gt(sm_stats.returned_bytes, 0);
    sm_free_empty(PART, UINT32_MAX, SM_KINDS_ALL);
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
    CHECK(sm_free_empty(PART, 1, SM_KINDS_ALL) > 1);
    sm_free_empty(PART, UINT32_MAX, SM_KINDS_ALL);
    CHECK(sm_arena.part[PART].mapped - sm_arena.part[PART].first < KERNEL_BLOCK / SM_PAGE);
    CHECK(sm_run_take_present(PART, 9 * SM_MIB / SM_PAGE));
}

Test(empty, huge_blocks)
{
    cr_assert_eq(in_child(with_huge_blocks, NULL), 0);
}

enum { BURST = 24 };

/* Allocates megabytes of a partition, and frees them all. */
static void burst(unsigned part)
{
    void *blocks[BURST];

    for (int i = 0; i < BURST; i++) {
        blocks[i] = sm_malloc(SM_MIB, part);
        CHECK(blocks[i] && sm_arena_owns(blocks[i]));
        memset(blocks[i], 1, SM_MIB);
    }
    for (int i = 0; i < BURST; i++)
        sm_free(blocks[i]);
}

static size_t degraded(void)
{
    return (sm_stats.pages[SM_KIND_LOCKED] + sm_stats.pages[SM_KIND_PLAIN]) * SM_PAGE;
}

/*
 * Memory beyond the limit is not secret. What of it is free is no loss, so it leaves room for
 * other partitions below the cap, while the secret memory stays.
 */
static void past_the_limit(void *arg)
{
    size_t secret;

    (void)arg;
    become_nobody(LIMIT);
    start_heap_of(32 * SM_MIB);
    burst(PART);
    secret = sm_stats.pages[SM_KIND_SECRET];
    CHECK(degraded() > 16 * SM_MIB);
    burst(SM_PART_IO);
    CHECK(sm_stats.spilled == 0);
    CHECK(sm_stats.pages[SM_KIND_SECRET] >= secret);
}

Test(empty, past_the_limit)
{
    cr_assert_eq(in_child(past_the_limit, NULL), 0);
}

/* After a burst beyond the limit the free memory that is not secret goes back. */
static void after_a_burst(void *arg)
{
    size_t secret;

    (void)arg;
    become_nobody(LIMIT);
    start_heap_of(64 * SM_MIB);
    burst(PART);
    secret = sm_stats.pages[SM_KIND_SECRET];
    for (int i = 0; i < 3000 && degraded() > 4 * SM_MIB; i++) {
        usleep(1000);
        /* Off the fast path, where it is seen that memory is due. */
        sm_free(sm_malloc(40000 + (size_t)i % 16 * SM_PAGE, PART));
    }
    CHECK(degraded() <= 4 * SM_MIB);
    CHECK(sm_stats.pages[SM_KIND_SECRET] >= secret);
}

Test(empty, after_a_burst)
{
    cr_assert_eq(in_child(after_a_burst, NULL), 0);
}
