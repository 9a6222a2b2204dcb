/* SPDX-License-Identifier: Apache-2.0 */
#include "base/counters.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "os/pages.h"
#include "process/exit_report.h"
#include "support.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static char text[2048];

static void init(void)
{
    start_heap();
}

TestSuite(stats, .init = init);

Test(stats, layout)
{
    cr_assert_eq(sm_stats.magic, SM_STATS_MAGIC);
    cr_assert_eq(sm_stats.version, SM_STATS_VERSION);
    cr_assert_eq(sm_stats.size, sizeof(sm_stats));
}

Test(stats, pages)
{
    sm_stats_pages(SM_PART_KEY, SM_KIND_SECRET, 10);
    sm_stats_pages(SM_PART_IO, SM_KIND_LOCKED, 5);
    sm_stats_pages(SM_PART_KEY, SM_KIND_SECRET, -4);
    sm_stats_pages(SM_PART_IO, SM_KIND_PLAIN, 2);
    cr_assert_eq(sm_stats.pages[SM_KIND_SECRET], 6);
    cr_assert_eq(sm_stats.pages[SM_KIND_LOCKED], 5);
    cr_assert_eq(sm_stats.pages[SM_KIND_PLAIN], 2);
    cr_assert_eq(sm_stats.part_pages[SM_PART_KEY], 6);
    cr_assert_eq(sm_stats.part_pages[SM_PART_IO], 7);
    cr_assert_eq(sm_stats.pages_peak, 15);
}

/* What is read from outside of the caches of threads, as `secretssl stat` reads it */
Test(stats, caches)
{
    const char *cache;
    uint64_t counts[3], next;

    cr_assert_eq(sm_stats.caches, 0);
    sm_malloc(100, SM_PART_KEY);
    cache = (const char *)sm_stats.caches;
    cr_assert_not_null(cache);
    memcpy(counts, cache + sm_stats.cache_counts, sizeof(counts));
    memcpy(&next, cache + sm_stats.cache_next, sizeof(next));
    cr_assert_eq(counts[0], 1);
    cr_assert_eq(counts[1], 0);
    cr_assert_eq(counts[2], 100);
    cr_assert_eq(next, 0);
}

Test(stats, faults)
{
    cr_assert_eq(sm_stats.faults, 0);
    sm_malloc(1, SM_PART_KEY);
    cr_assert_gt(sm_stats.faults, 0);
    cr_assert_eq(sm_stats.faults * sm_os_page, sm_stats.pages[SM_KIND_SECRET] * SM_PAGE);
    cr_assert_eq(sm_stats.cap, sm_arena.cap);
}

static void check(uint64_t allocations, uint64_t frees, int64_t live)
{
    uint64_t a, f;
    int64_t l;

    sm_thread_caches_sum(&a, &f, &l);
    cr_assert_eq(a, allocations);
    cr_assert_eq(f, frees);
    cr_assert_eq(l, live);
}

Test(stats, blocks)
{
    void *small, *large;

    check(0, 0, 0);
    small = sm_malloc(100, SM_PART_KEY);
    check(1, 0, 100);
    large = sm_malloc(50000, SM_PART_IO);
    check(2, 0, 50100);
    small = sm_realloc(small, 110);
    check(2, 0, 50110);
    large = sm_realloc(large, 40000);
    check(2, 0, 40110);
    sm_free(small);
    check(2, 1, 40000);
    sm_free(large);
    check(2, 2, 0);
}

static void *allocate(void *arg)
{
    void **blocks = arg;

    for (int i = 0; i < 100; i++)
        blocks[i] = sm_malloc(10, SM_PART_KEY);
    for (int i = 0; i < 30; i++)
        sm_free(blocks[i]);
    return NULL;
}

/* What a thread counted is there when it has ended, and when another frees its blocks. */
Test(stats, threads)
{
    static void *blocks[4][100];
    pthread_t threads[4];

    for (int t = 0; t < 4; t++)
        cr_assert_eq(pthread_create(&threads[t], NULL, allocate, blocks[t]), 0);
    for (int t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
    check(400, 120, 2800);
    for (int t = 0; t < 4; t++) {
        for (int i = 30; i < 100; i++)
            sm_free(blocks[t][i]);
    }
    check(400, 400, 0);
}

static void print(void *arg)
{
    (void)arg;
    start_heap();
    sm_free(sm_malloc(100, SM_PART_KEY));
    CHECK(sm_malloc(1000, SM_PART_KEY) != NULL);
    sm_count(&sm_stats.forks, 3);
    sm_count(&sm_stats.hooks, 1);
    sm_stats_print();
}

Test(stats_summary, line)
{
    size_t secret = whole_bytes(2 * SM_PAGE) / SM_KIB;
    char wanted[512];

    cr_assert_eq(in_child_saying(print, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1);
    snprintf(wanted, sizeof(wanted),
             "] summary: %zu KiB secret, 0 KiB locked, 0 KiB plain, 0 KiB ordinary, "
             "peak %zu KiB; 2 allocations, 1000 bytes live; 0 to the C library, 0 "
             "failed, 0 pages degraded; 3 forks copied, 0 failed; 1 libcrypto "
             "hooked; 0 messages lost\n",
             secret, secret);
    cr_assert(strstr(text, wanted), "%s", text);
}
