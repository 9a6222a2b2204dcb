/* SPDX-License-Identifier: Apache-2.0 */
/* Large blocks when guards are refused, or too many; and that all is as it should be in a
 * random mix. */
#include "arena/guard_pages.h"
#include "arena/scavenge.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "stress.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PART SM_PART_KEY

static char text[4096];

/* Where the guard of a block of n bytes begins */
static char *end_of(char *p, size_t n)
{
    return p + sm_round_up(n, sm_os_page);
}

static void full(void *arg)
{
    static void *blocks[400];
    unsigned n = 0;

    (void)arg;
    sm_settings.require = 1;
    start_heap_of(by_page(2 * SM_MIB));
    while (n < 400 && (blocks[n] = sm_malloc(30000, PART)))
        n++;
    CHECK(n > 50 && n < 400);
    for (unsigned i = 0; i < n; i++)
        sm_free(blocks[i]);
    CHECK(sm_malloc(SM_MIB, PART) != NULL);
}

/* What is kept becomes a block that is longer than any of it. */
Test(guard_limits, full_arena)
{
    cr_assert_eq(in_child_saying(full, NULL, text, sizeof(text)), 0, "%s", text);
}

/* One block in each partition: their tables are there, which takes mprotect as well. */
static void begin(size_t arena_size)
{
    start_heap_of(arena_size);
    for (unsigned p = 0; p < SM_PARTS; p++)
        CHECK(sm_malloc(100, p) != NULL);
    sm_scavenge_period = UINT32_MAX;
}

static void refused(void *arg)
{
    static struct stress stress = {.random = 5, .most = 60000};
    char *guarded, *p;

    (void)arg;
    begin(by_page(3 * SM_MIB));
    guarded = sm_malloc(20000, PART);
    filter_call(SYS_mprotect, SECCOMP_RET_ERRNO | ENOMEM);
    p = sm_malloc(20000, PART);
    CHECK(p && sm_stats.unguarded == 1);
    CHECK(accessible(end_of(p, 20000)));
    memset(p, 1, 20000);
    CHECK(sm_realloc(p, 20400) == p && all_bytes(p, 1, 20000));
    p = sm_realloc(p, 60000);
    CHECK(all_bytes(p, 1, 20000));
    p = sm_realloc(p, 9000);
    CHECK(all_bytes(p, 1, 9000));
    sm_free(p);
    /* A guard that cannot be lifted, nor moved, stays. */
    memset(guarded, 2, 20000);
    guarded = sm_realloc(guarded, 9000);
    CHECK(all_bytes(guarded, 2, 9000));
    guarded = sm_realloc(guarded, 40000);
    CHECK(all_bytes(guarded, 2, 9000));
    sm_free(guarded);
    stress_run(&stress, 20000);
    stress_end(&stress);
    CHECK(sm_stats.unguarded > 100);
}

Test(guard_limits, refused)
{
    cr_assert_eq(in_child_saying(refused, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "no guard page behind some large blocks (mprotect: ENOMEM)"), 1,
                 "said once: %s", text);
}

/* The overrun by one byte is found all the same. */
static void refused_overrun(void *arg)
{
    char *p;

    begin(by_page(3 * SM_MIB));
    filter_call(SYS_mprotect, SECCOMP_RET_ERRNO | ENOMEM);
    p = sm_malloc(20000, PART);
    p[20000] = 0;
    sm_free(p);
    (void)arg;
}

Test(guard_limits, refused_overrun)
{
    cr_assert_eq(in_child_saying(refused_overrun, NULL, text, sizeof(text)), ENDED_BY(SIGABRT));
    cr_assert(strstr(text, "fatal: overrun"), "%s", text);
}

static void *blocks_of_many[200];

/* As many mappings as this process may have: neighbours that differ in access */
static unsigned use_up_mappings(void)
{
    unsigned n = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned long most = 0;
    char *area;

    CHECK(file && fscanf(file, "%lu", &most) == 1);
    fclose(file);
    area = mmap(NULL, most * sm_os_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
    CHECK(area != MAP_FAILED);
    for (; n < most; n += 2) {
        if (mprotect(area + n * sm_os_page, sm_os_page, PROT_READ) != 0)
            break;
    }
    return n;
}

static void many_mappings(void *arg)
{
    (void)arg;
    /* A chunk of one page would need no further mapping for a guard, so chunks have 16. */
    begin(SM_CHUNKS_MOST * by_page(SM_CHUNK_LEAST));
    for (int i = 0; i < 100; i++)
        blocks_of_many[i] = memset(sm_malloc(20000, PART), 1, 20000);
    /* mapped, and not used */
    sm_free(sm_malloc(sm_max(8 * SM_MIB, by_page(SM_MIB)), PART));
    CHECK(sm_stats.unguarded == 0);
    CHECK(use_up_mappings() > 1000);
    for (int i = 100; i < 200; i++) {
        blocks_of_many[i] = memset(sm_malloc(20000, PART), 1, 20000);
        CHECK(sm_is_secret(blocks_of_many[i]));
    }
    CHECK(sm_stats.unguarded >= 80);
    for (int i = 0; i < 200; i++) {
        CHECK(all_bytes(blocks_of_many[i], 1, 20000));
        sm_free(blocks_of_many[i]);
    }
}

Test(guard_limits, too_many_mappings)
{
    cr_assert_eq(in_child_saying(many_mappings, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "no guard page behind some large blocks (mprotect: ENOMEM)"), 1,
                 "said once: %s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
}

/* More blocks than may have guards, in ordinary memory as that is cheap */
static void many_blocks(void *arg)
{
    enum { MANY = 9000, SOME = 500 };
    static void *blocks[MANY];
    uint64_t without;

    (void)arg;
    sm_settings.route = SM_ROUTE_KEYS;
    begin(by_page(512 * SM_MIB));
    for (int i = 0; i < MANY; i++)
        blocks[i] = sm_malloc(20000, SM_PART_IO);
    without = sm_stats.unguarded;
    CHECK(without > 0 && without < MANY - 4096);
    for (int i = 0; i < MANY; i++)
        CHECK(blocks[i] && sm_arena_owns(blocks[i]));
    for (int i = 0; i < SOME; i++) {
        CHECK(!accessible(end_of(blocks[i], 20000)));
        CHECK(accessible(end_of(blocks[MANY - 1 - i], 20000) - 1));
        sm_free(blocks[i]);
    }
    /* What was freed brings its guards along. */
    for (int i = 0; i < SOME; i++) {
        blocks[i] = sm_malloc(20000, SM_PART_IO);
        CHECK(!accessible(end_of(blocks[i], 20000)));
    }
    CHECK(sm_stats.unguarded == without);
    for (int i = 0; i < MANY; i++)
        sm_free(blocks[i]);
}

Test(guard_limits, many_blocks)
{
    cr_assert_eq(in_child_saying(many_blocks, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "large blocks have guard pages, which is the maximum"), 1, "%s",
                 text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
}

/* More than half of the guards that there may be, in blocks that come and go. */
enum { COMING = 5000 };

static void fill(void **blocks, size_t size)
{
    for (int i = 0; i < COMING; i++) {
        blocks[i] = sm_malloc(size, PART);
        CHECK(blocks[i] && sm_arena_owns(blocks[i]));
    }
}

static void free_all(void **blocks)
{
    for (int i = 0; i < COMING; i++)
        sm_free(blocks[i]);
}

/* Their guards stay, so that no system call is needed for any of them. */
static void many_come_and_go(void *arg)
{
    static void *blocks[COMING], *others[COMING];
    const struct sm_partition *part = &sm_arena.part[PART];
    uint32_t kept;

    (void)arg;
    begin(by_page(256 * SM_MIB));
    fill(blocks, 9000);
    free_all(blocks);
    kept = part->retained_pages;
    CHECK(kept >= (COMING - SM_CACHE_RUNS) * (whole_pages(9000) + sm_guard_pages()));
    fill(blocks, 9000);
    CHECK(part->retained_pages == 0 && sm_stats.unguarded == 0);
    free_all(blocks);
    /* Blocks of another length take theirs before they go without. */
    fill(others, whole_bytes(9000) + 712);
    CHECK(sm_stats.unguarded == 0);
    free_all(others);
}

Test(guard_limits, many_come_and_go)
{
    cr_assert_eq(in_child_saying(many_come_and_go, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* After every step: behind each large block is a page without access, and nowhere else. */
static void check_guards(void)
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        const struct sm_partition *part = &sm_arena.part[p];
        uint32_t kept = 0;
        for (uint32_t page = part->first; page < part->top; page++) {
            const struct sm_page *run = &sm_arena.pages[page];
            if (run->use == SM_USE_LARGE || run->use == SM_USE_RETAINED)
                CHECK(run[run->pages].use == SM_USE_GUARD);
            if (run->use == SM_USE_RETAINED)
                kept += run->pages + sm_guard_pages();
            if (run->present)
                CHECK(accessible(sm_page_address(page)) == (run->use != SM_USE_GUARD));
        }
        CHECK(kept >= part->retained_pages); /* the thread has some itself */
    }
}

static void random_mix(void *arg)
{
    static struct stress stress = {.random = 11, .most = 250000};

    (void)arg;
    start_heap_of(64 * SM_MIB);
    for (int i = 0; i < 40; i++) {
        stress_run(&stress, 300);
        check_guards();
    }
    stress_end(&stress);
    check_guards();
    CHECK(sm_stats.unguarded == 0 && sm_stats.degraded == 0);
}

Test(guard_limits, random_mix)
{
    cr_assert_eq(in_child_saying(random_mix, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}
