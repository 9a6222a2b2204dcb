/* SPDX-License-Identifier: Apache-2.0 */
/* Freed blocks are held back, and what is done to them meanwhile is found. */
#include "arena/scavenge.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "support.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#define PART  SM_PART_KEY
#define LARGE 20000

static void init(void)
{
    sm_settings.quarantine = by_page(4 * SM_MIB);
    sm_scavenge_period = UINT32_MAX;
    start_heap_of(by_page(16 * SM_MIB));
}

TestSuite(quarantine, .init = init);

/* How many of the next blocks do not have the address of a block that was just freed. */
static unsigned turns_without(size_t size, unsigned most)
{
    char *freed = sm_malloc(size, PART);
    unsigned turns = 0;
    void *block;

    sm_free(freed);
    do {
        block = sm_malloc(size, PART);
        sm_free(block);
    } while (block != freed && turns++ < most);
    return turns;
}

Test(quarantine, no_reuse)
{
    static const struct {
        size_t size;
        unsigned least;
    } cases[] = {{8, 4000}, {100, 4000}, {1000, 450}, {8000, 50}, {LARGE, 20}};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cr_assert_geq(turns_without(cases[i].size, cases[i].least), cases[i].least, "%zu",
                      cases[i].size);
        cr_assert_leq(sm_stats.quarantined, sm_settings.quarantine);
    }
}

/* The control: without it the next block is the one that was freed. */
Test(quarantine_off, off)
{
    sm_settings.quarantine = 0;
    start_heap_of(16 * SM_MIB);
    cr_assert_eq(turns_without(100, 10), 0);
    cr_assert_eq(turns_without(LARGE, 10), 0);
    cr_assert_eq(sm_stats.quarantined, 0);
}

/* How long one stays cannot be foretold. */
Test(quarantine, random)
{
    unsigned first = turns_without(8000, 100000), same = 0;

    cr_assert_lt(first, 100000);
    for (int i = 0; i < 8; i++)
        same += turns_without(8000, 100000) == first;
    cr_assert_leq(same, 3);
}

static void write_and_wait(void *arg)
{
    size_t size = *(size_t *)arg;
    char *block;

    init();
    block = sm_malloc(size, PART);
    sm_free(block);
    block[size / 2] = 'x';
    for (int i = 0; i < 100000; i++)
        sm_free(sm_malloc(2 * size + 20, PART)); /* of another class */
}

/* A write is found without that the slot is given out again. */
Test(quarantine_children, write_after_free)
{
    size_t sizes[] = {8, 100, 1000};
    static char text[4096];

    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(in_child_saying(write_and_wait, &sizes[i], text, sizeof(text)),
                     ENDED_BY(SIGABRT), "%zu: %s", sizes[i], text);
        cr_assert(strstr(text, "fatal: write after free: "), "%zu: %s", sizes[i], text);
    }
}

static void read_freed(void *arg)
{
    char *block;

    (void)arg;
    init();
    block = sm_malloc(LARGE, PART);
    sm_free(block);
    (void)*(volatile char *)block;
}

Test(quarantine_children, no_access_to_large)
{
    cr_assert_eq(in_child(read_freed, NULL), ENDED_BY(SIGSEGV));
}

/* A full arena takes all of it back before anything falls back. */
Test(quarantine_full, given_back)
{
    static void *blocks[4000];
    unsigned count = 0;

    sm_settings.quarantine = by_page(4 * SM_MIB);
    /* With larger pages each of 250 large blocks, and its guard, takes more. */
    start_heap_of(16 * SM_MIB + 250 * 2 * (os_page() - SM_PAGE));
    sm_scavenge_period = UINT32_MAX;
    for (int turn = 0; turn < 3; turn++) {
        for (count = 0; count < 4000; count++) {
            size_t size = count % 16 == 0 ? LARGE : 2500;
            if (sm_stats.live_bytes + (int64_t)size > (int64_t)(11 * SM_MIB))
                break;
            blocks[count] = sm_malloc(size, PART);
            cr_assert(sm_arena_owns(blocks[count]));
            memset(blocks[count], 1, size);
        }
        cr_assert_gt(count, 1000);
        while (count)
            sm_free(blocks[--count]);
    }
    cr_assert_eq(sm_stats.spilled, 0);
}

static void in_a_child(void *arg)
{
    char *kept = arg;

    CHECK(sm_stats.quarantined == 0);
    CHECK(kept[0] == 'k');
    for (int i = 0; i < 200; i++) {
        char *block = sm_malloc(i % 2 ? LARGE : 100, PART);
        CHECK(block && all_bytes(block, 0, 100));
        memset(block, 1, 100);
        sm_free(block);
    }
    CHECK(sm_stats.quarantined != 0);
}

/* A child's arena has all that its parent's quarantine held. */
Test(quarantine, fork)
{
    char *kept = sm_malloc(100, PART);

    kept[0] = 'k';
    for (int i = 0; i < 200; i++)
        sm_free(sm_malloc(i % 2 ? LARGE : 100, PART));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(in_child(in_a_child, kept), 0);
    cr_assert_gt(sm_stats.quarantined, 0);
}

static void *churn(void *arg)
{
    uint64_t random = (uintptr_t)arg;
    void *blocks[64] = {0};

    for (int i = 0; i < 100000; i++) {
        unsigned at = (unsigned)next_random(&random) % 64;
        size_t size = next_random(&random) % 100 ? next_random(&random) % 300 : LARGE;
        if (blocks[at])
            sm_free(blocks[at]);
        blocks[at] = sm_malloc(size, PART);
        memset(blocks[at], 1, size);
    }
    for (int i = 0; i < 64; i++) {
        if (blocks[i])
            sm_free(blocks[i]);
    }
    return NULL;
}

Test(quarantine, threads)
{
    pthread_t threads[6];

    for (uintptr_t i = 0; i < 6; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    cr_assert_leq(sm_stats.quarantined, sm_settings.quarantine);
    cr_assert_gt(sm_stats.quarantined, 0);
    cr_assert_eq(sm_stats.spilled, 0);
}
