/* SPDX-License-Identifier: Apache-2.0 */
/* Guard pages behind large blocks, and freed blocks that are kept together with theirs. What
 * happens when there can be none is in test_guard_limits.c. */
#include "arena/guard_pages.h"
#include "arena/scavenge.h"
#include "base/counters.h"
#include "heap/large.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "os/syscall.h"
#include "support.h"
#include <criterion/criterion.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PART SM_PART_KEY

static void init(void)
{
    start_heap_of(by_page(16 * SM_MIB));
}

TestSuite(guard, .init = init);

static void touch(void *arg)
{
    *(volatile char *)arg += 1;
}

static void look(void *arg)
{
    (void)*(volatile char *)arg;
}

/* Where the guard of a block of n bytes begins */
static char *end_of(char *p, size_t n)
{
    return p + sm_round_up(n, sm_os_page);
}

static uint32_t retained_pages(void)
{
    return sm_arena.part[PART].retained_pages;
}

Test(guard, stops)
{
    static const size_t sizes[] = {SM_SMALL_MAX + 1, 12288, 20000, 1000000};

    for (unsigned part = 0; part < SM_PARTS; part++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            char *p = sm_malloc(sizes[i], part), *end = end_of(p, sizes[i]);
            cr_assert(accessible(end - 1), "%zu", sizes[i]);
            cr_assert(!accessible(end), "%zu", sizes[i]);
            cr_assert(!accessible(end + sm_os_page - 1), "all of a page");
            cr_assert(sm_guarded(sm_page_number(p), sm_arena.pages[sm_page_number(p)].pages));
        }
    }
}

/* In the process itself, and so in a child, whose pages are copies */
Test(guard, signal)
{
    char *p = sm_malloc(20000, PART);

    cr_assert_eq(in_child(touch, p + 19999), 0);
    cr_assert_eq(in_child(look, end_of(p, 20000)), ENDED_BY(SIGSEGV));
    cr_assert_eq(in_child(touch, end_of(p, 20000)), ENDED_BY(SIGSEGV));
}

static void linear_overrun(void *arg)
{
    (void)arg;
    memset(sm_malloc(20000, PART), 1, 100000);
}

/* Without the guard it would reach the neighbour, which is there. */
Test(guard, linear_overrun)
{
    char *p = sm_malloc(20000, PART), *next = sm_malloc(20000, PART);

    cr_assert_eq(next, end_of(p, 20000) + sm_os_page);
    cr_assert_eq(in_child(linear_overrun, NULL), ENDED_BY(SIGSEGV));
}

static void all_calls_forbidden(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };

    filter_install((struct sock_fprog){sizeof(filter) / sizeof(filter[0]), filter});
}

static void again_without_calls(void *arg)
{
    size_t *sizes = arg;
    char *p = sm_malloc(sizes[0], PART);

    CHECK(p != NULL);
    sm_free(p);
    all_calls_forbidden();
    for (int i = 0; i < 100; i++) {
        char *again = sm_malloc(sizes[1], PART);
        if (again != p)
            break;
        sm_free(again);
    }
    sm_sys(SYS_exit_group, 0);
}

/* The next block of as many pages costs no system call; the control: one of more pages. */
Test(guard, kept_for_the_next)
{
    size_t sizes[2] = {20000, 20000};

    cr_assert_eq(in_child(again_without_calls, sizes), 0);
    sizes[1] = 16385;
    cr_assert_eq(in_child(again_without_calls, sizes), 0, "as many pages");
    sizes[1] = whole_bytes(20000) + 20000;
    cr_assert_eq(in_child(again_without_calls, sizes), ENDED_BY(SIGSYS));
}

/* Blocks of more pages than a thread keeps for itself, and with their guard: of 8 and one */
#define SIZE  (whole_bytes(SM_CACHE_RUN_PAGES * SM_PAGE) + 5424)
#define PAGES (whole_pages(SIZE) + sm_guard_pages())

Test(guard, kept)
{
    char *p, *q;

    sm_free(sm_malloc(SM_MIB, PART)); /* room: nothing below makes the arena grow */
    p = memset(sm_malloc(SIZE, PART), 1, SIZE);
    sm_free(p);
    cr_assert_eq(retained_pages(), PAGES);
    cr_assert(!accessible(end_of(p, SIZE)), "the guard stays");
    q = sm_malloc(SIZE - 1000, PART);
    cr_assert_eq(q, p);
    cr_assert_eq(retained_pages(), 0);
    cr_assert(all_bytes(q, 0, SIZE - 1000));
    cr_assert_eq(sm_usable_size(q), SIZE - 1000);
    sm_free(q);
    cr_assert_neq(sm_malloc(whole_bytes(SIZE) + 1, PART), p, "of more pages");
    cr_assert_eq(retained_pages(), PAGES);
    /* The largest are not kept. */
    q = sm_malloc((SM_RETAINED_PAGES + 1) * SM_PAGE, PART);
    sm_free(q);
    cr_assert_eq(retained_pages(), PAGES);
    cr_assert(accessible(end_of(q, (SM_RETAINED_PAGES + 1) * SM_PAGE)),
              "and their guard is lifted");
    /* An alignment that it does not have */
    q = sm_aligned_malloc(SM_MIB, SIZE, PART);
    cr_assert_eq((uintptr_t)q % SM_MIB, 0);
    cr_assert(!accessible(end_of(q, SIZE)));
}

/* Of the shorter ones a thread keeps some for itself; at its end the partition gets them. */
static void *keep_own(void *arg)
{
    char *blocks[SM_CACHE_RUNS + 3];

    for (unsigned i = 0; i < SM_CACHE_RUNS + 3; i++)
        blocks[i] = memset(sm_malloc(20000, PART), 1, 20000);
    for (unsigned i = 0; i < SM_CACHE_RUNS + 3; i++)
        sm_free(blocks[i]);
    *(uint32_t *)arg = retained_pages();
    for (unsigned i = 0; i < SM_CACHE_RUNS + 3; i++) {
        blocks[i] = sm_malloc(17000, PART);
        CHECK(all_bytes(blocks[i], 0, 17000));
        CHECK(!accessible(end_of(blocks[i], 17000)));
    }
    CHECK(retained_pages() == 0);
    for (unsigned i = 0; i < SM_CACHE_RUNS + 3; i++)
        sm_free(blocks[i]);
    return NULL;
}

Test(guard, kept_by_a_thread)
{
    uint32_t meanwhile = 0;
    pthread_t thread;

    sm_free(sm_malloc(SM_MIB, PART));
    cr_assert_eq(pthread_create(&thread, NULL, keep_own, &meanwhile), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(meanwhile, 3 * (whole_pages(20000) + sm_guard_pages()));
    cr_assert_eq(retained_pages(),
                 (SM_CACHE_RUNS + 3) * (whole_pages(20000) + sm_guard_pages()));
}

static void fill(void **blocks, unsigned count, size_t size)
{
    for (unsigned i = 0; i < count; i++) {
        blocks[i] = sm_malloc(size, PART);
        cr_assert(blocks[i] && sm_arena_owns(blocks[i]));
        memset(blocks[i], 1, size);
    }
}

static void free_all(void **blocks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sm_free(blocks[i]);
}

/* What is kept serves larger blocks, and smaller, before more memory is mapped. */
Test(guard, kept_are_used_before_the_arena_grows)
{
    static void *blocks[4000];
    size_t mapped;

    sm_scavenge_period = UINT32_MAX;
    fill(blocks, 200, SIZE);
    free_all(blocks, 200);
    cr_assert_eq(retained_pages(), 200 * PAGES);
    mapped = sm_arena.mapped;
    fill(blocks, 60, SIZE * 10 / 3);
    cr_assert_leq(sm_arena.mapped, mapped, "merged with their neighbours");
    free_all(blocks, 60);
    fill(blocks, 4000, 1000);
    cr_assert_leq(sm_arena.mapped, mapped, "for slots");
    free_all(blocks, 4000);
    /* All but what the thread keeps in slots, and remainders */
    fill(blocks, 160, SIZE);
    cr_assert_leq(sm_arena.mapped, mapped, "and back");
}

Test(guard, moves_with_the_end)
{
    char *p = sm_malloc(20000, PART);
    size_t more = whole_bytes(20000) + 29520; /* 50,000 with pages of 4096 */

    memset(p, 1, 20000);
    cr_assert_eq(sm_realloc(p, more), p);
    cr_assert(accessible(end_of(p, 20000)), "where the guard was");
    cr_assert(all_bytes(p, 1, 20000) && all_bytes(p + 20000, 0, more - 20000));
    cr_assert(!accessible(end_of(p, more)));
    cr_assert_eq(sm_stats.degraded, 0, "what was the guard is secret memory");
    memset(p, 2, more);
    cr_assert_eq(sm_realloc(p, 9000), p);
    cr_assert(all_bytes(p, 2, 9000));
    cr_assert(!accessible(end_of(p, 9000)));
    cr_assert(accessible(end_of(p, 9000) + sm_os_page), "given back");
    cr_assert_eq(sm_realloc(p, more), p, "and it can be had again");
    cr_assert(all_bytes(p, 2, 9000) && all_bytes(p + 9000, 0, more - 9000));
    cr_assert_eq(in_child(touch, end_of(p, more)), ENDED_BY(SIGSEGV));
    sm_free(p);
    cr_assert_eq(sm_malloc(more, PART), p);
    cr_assert_eq(sm_stats.unguarded, 0);
}

/* A neighbour is in the way: block, contents and guard stay. */
Test(guard, cannot_move)
{
    char *p = sm_malloc(20001, PART);

    sm_malloc(20000, PART);
    memset(p, 3, 20001);
    cr_assert(!sm_large_resize(p, whole_bytes(20001) + 29520));
    cr_assert(all_bytes(p, 3, 20001));
    cr_assert(!accessible(end_of(p, 20001)));
    cr_assert_eq(sm_usable_size(p), 20001);
}

static char *live[3];

/* What it is that the child finds */
static void child_has_guards(void *arg)
{
    size_t size = sm_min(2 * SIZE, SM_RETAINED_PAGES * SM_PAGE); /* of those that are kept */
    char *p;

    (void)arg;
    CHECK(retained_pages() == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(all_bytes(live[i], (unsigned char)(i + 1), SIZE));
        CHECK(!accessible(end_of(live[i], sm_usable_size(live[i]))));
    }
    /* Where a kept run was: free for anything. */
    p = sm_malloc(size, PART);
    CHECK(p && all_bytes(p, 0, size));
    memset(p, 9, size);
    CHECK(!accessible(end_of(p, size)));
    sm_free(p);
    sm_free(live[0]);
    CHECK(retained_pages() == whole_pages(size) + sm_guard_pages() + PAGES);
    CHECK(sm_malloc(SIZE, PART) == live[0]);
    CHECK(in_child(touch, end_of(live[1], SIZE)) == ENDED_BY(SIGSEGV));
    CHECK(sm_stats.unguarded == 0);
}

Test(guard, fork)
{
    char *kept[3];

    for (int i = 0; i < 3; i++) {
        live[i] = memset(sm_malloc(SIZE, PART), i + 1, SIZE);
        kept[i] = sm_malloc(SIZE, PART);
    }
    /* A guard on a page that was used: what the shrinking left */
    live[2] = memset(sm_realloc(live[2], 2 * SIZE), 3, 2 * SIZE);
    live[2] = sm_realloc(live[2], SIZE);
    for (int i = 0; i < 3; i++)
        sm_free(kept[i]);
    cr_assert_gt(retained_pages(), 0);
    cr_assert_eq(in_child(child_has_guards, NULL), 0);
    cr_assert_gt(retained_pages(), 0, "the parent's stay");
    for (int i = 0; i < 3; i++)
        cr_assert(!accessible(end_of(live[i], SIZE)));
}
