/* SPDX-License-Identifier: Apache-2.0 */
/* malloc, realloc and free from above; the random mix is in test_heap_mix.c. */
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PART SM_PART_KEY

static char text[4096];

static void init(void)
{
    start_heap_of(16 * SM_MIB);
}

TestSuite(heap, .init = init);

static unsigned char *take(size_t n)
{
    unsigned char *p = sm_malloc(n, PART);

    cr_assert_not_null(p, "%zu", n);
    return p;
}

Test(heap, nothing_before_the_first_block)
{
    cr_assert(sm_heap_started());
    cr_assert_eq(sm_arena.span, 0);
    cr_assert(!sm_arena_owns(&text));
    cr_assert(!sm_is_secret(&text));
    take(1);
    cr_assert_neq(sm_arena.span, 0);
    sm_heap_start();
}

Test(heap, every_size)
{
    for (size_t n = 0; n < 20000; n += n < 1100 ? 1 : 97) {
        unsigned char *p = take(n);
        cr_assert_eq((uintptr_t)p % 16, 0, "%zu", n);
        cr_assert_eq(sm_usable_size(p), n);
        cr_assert(sm_is_secret(p));
        cr_assert_eq(sm_part_of(p), PART);
        cr_assert(all_bytes(p, 0, n), "%zu", n);
        memset(p, 0xee, n);
        sm_free(p);
        cr_assert(all_bytes(p, 0, n), "freed memory is cleared: %zu", n);
    }
}

Test(heap, zero_has_its_own_block)
{
    void *a = sm_malloc(0, PART), *b = sm_malloc(0, PART);

    cr_assert(a && b && a != b);
    sm_free(a);
    sm_free(b);
}

static void read_at(void *p)
{
    (void)*(volatile char *)p;
}

/* More of them than there are addresses without memory: the others are ordinary slots. */
Test(heap, many_of_zero)
{
    enum { MANY = 3 * SM_STATES_PER_PAGE };
    void *blocks[MANY];
    unsigned stopped = 0;

    for (int turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < MANY; i++) {
            blocks[i] = sm_malloc(0, PART);
            cr_assert(blocks[i] && sm_arena_owns(blocks[i]) && sm_is_secret(blocks[i]));
            cr_assert_eq(sm_usable_size(blocks[i]), 0);
            for (unsigned j = 0; turn == 0 && j < i; j++)
                cr_assert_neq(blocks[i], blocks[j]);
        }
        for (unsigned i = 0; i < MANY; i++)
            sm_free(blocks[i]);
    }
    for (unsigned i = 0; i < 10; i++)
        stopped += in_child(read_at, sm_malloc(0, PART)) == ENDED_BY(SIGSEGV);
    cr_assert_eq(stopped, 10);
}

/* It becomes larger, and smaller again, and a child has it too. */
static void free_in_child(void *p)
{
    CHECK(sm_usable_size(p) == 0);
    sm_free(p);
    CHECK(sm_malloc(0, PART));
}

Test(heap, zero_is_resized)
{
    void *p = sm_malloc(0, PART), *q;

    cr_assert_eq(in_child(free_in_child, p), 0);
    q = sm_realloc(p, 100);
    cr_assert(q && q != p);
    cr_assert(all_bytes(q, 0, 100));
    cr_assert_eq(sm_part_of(q), PART);
    sm_free(q);
}

Test(heap, without_zero)
{
    unsigned char *p = take(100);

    sm_settings.zero = 0;
    memset(p, 0xee, 100);
    sm_free(p);
    cr_assert(all_bytes(p, 0xee, 100));
}

Test(heap, partitions)
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        void *small = sm_malloc(50, p), *large = sm_malloc(50000, p);
        cr_assert_eq(sm_part_of(small), p);
        cr_assert_eq(sm_part_of(large), p);
        cr_assert_eq(sm_part_of(sm_realloc(small, 60000)), p, "also when it moves");
    }
}

Test(heap, alignment)
{
    for (size_t align = 1; align <= SM_MIB; align *= 2) {
        for (size_t n = 1; n < 20000; n = n * 3 + 1) {
            unsigned char *p = sm_aligned_malloc(align, n, PART);
            cr_assert_not_null(p);
            cr_assert_eq((uintptr_t)p % align, 0, "%zu %zu", align, n);
            cr_assert_geq(sm_usable_size(p), n);
            cr_assert(all_bytes(p, 0, n));
            memset(p, 1, n);
            sm_free(p);
        }
    }
    cr_assert_not_null(sm_aligned_malloc(4096, 0, PART));
}

/* The same slot comes back, and the arena does not grow. */
Test(heap, reuse)
{
    size_t mapped;

    for (size_t n = 10; n < 200000; n = n * 2 + 5)
        sm_free(take(n));
    mapped = sm_arena.mapped;
    for (int round = 0; round < 1000; round++) {
        for (size_t n = 10; n < 200000; n = n * 2 + 5)
            sm_free(take(n));
    }
    cr_assert_eq(sm_arena.mapped, mapped);
}

/* What one size freed serves another, when nothing of the run is left. */
Test(heap, reuse_by_other_sizes)
{
    static void *blocks[4000];
    const uint64_t *present = &sm_stats.pages[SM_KIND_SECRET];
    uint64_t first = 0;

    for (size_t n = 100; n <= 1000; n += 100) {
        unsigned count = (unsigned)(400000 / n);
        for (unsigned i = 0; i < count; i++)
            blocks[i] = take(n);
        if (n == 100)
            first = *present;
        for (unsigned i = 0; i < count; i++)
            sm_free(blocks[i]);
    }
    cr_assert_leq(*present, first + first / 4);
}

Test(heap, realloc_in_place)
{
    unsigned char *p = take(97), *q;

    memset(p, 1, 97);
    cr_assert_eq(sm_realloc(p, 111), p, "same class");
    cr_assert_eq(sm_usable_size(p), 111);
    cr_assert(all_bytes(p, 1, 97) && all_bytes(p + 97, 0, 14));
    memset(p, 2, 111);
    cr_assert_eq(sm_realloc(p, 98), p);
    cr_assert_eq(sm_realloc(p, 111), p);
    cr_assert(all_bytes(p + 98, 0, 13), "what it left is cleared");
    q = take(20000);
    memset(q, 3, 20000);
    cr_assert_eq(sm_realloc(q, 56000), q, "large, and nothing behind it");
    cr_assert(all_bytes(q, 3, 20000) && all_bytes(q + 20000, 0, 36000));
    cr_assert_eq(sm_stats.degraded, 0, "all of it is secret memory");
    cr_assert_eq(sm_realloc(q, 9000), q);
    cr_assert_eq(sm_usable_size(q), 9000);
}

Test(heap, realloc_moves)
{
    static const size_t sizes[] = {1, 17, 300, 8192, 8193, 50000, 4096, 9000, 16, 2};
    unsigned char *p = take(1);
    size_t had = 1;

    *p = 9;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        unsigned char *was = p;
        p = sm_realloc(p, sizes[i]);
        cr_assert(all_bytes(p, 9, sm_min(had, sizes[i])), "%zu", sizes[i]);
        cr_assert(p == was || all_bytes(was, 0, had), "the old place is cleared");
        memset(p, 9, sizes[i]);
        had = sizes[i];
    }
}

Test(heap, too_much)
{
    unsigned char *p = take(100);

    memset(p, 4, 100);
    sm_settings.require = 1;
    cr_assert_null(sm_malloc(SIZE_MAX, PART));
    cr_assert_null(sm_malloc(SIZE_MAX - 5000, PART));
    cr_assert_null(sm_malloc(17 * SM_MIB, PART));
    cr_assert_null(sm_aligned_malloc(1UL << 62, 100, PART));
    cr_assert_null(sm_aligned_malloc(4096, SIZE_MAX, PART));
    cr_assert_null(sm_realloc(p, SIZE_MAX));
    cr_assert_null(sm_realloc(p, 17 * SM_MIB));
    cr_assert(all_bytes(p, 4, 100), "the block stays");
    cr_assert_geq(sm_stats.failed, 7);
}

Test(heap, errno_is_kept)
{
    void *p;

    errno = EDOM;
    p = sm_malloc(100, PART);
    p = sm_realloc(p, 100000);
    sm_free(p);
    sm_free(sm_malloc(20 * SM_MIB, PART));
    cr_assert_eq(errno, EDOM);
}

Test(heap, reserve)
{
    uint64_t present;

    cr_assert_eq(sm_heap_reserve(PART, SM_MIB), SM_MIB);
    present = sm_stats.pages[SM_KIND_SECRET];
    cr_assert_eq(present, SM_MIB / SM_PAGE);
    for (int i = 0; i < 200; i++)
        take(4000);
    cr_assert_eq(sm_stats.pages[SM_KIND_SECRET], present);
}

struct misuse {
    void (*fn)(void *);
    size_t size;
    const char *says;
};

static void *other(size_t n)
{
    void *p = sm_malloc(n, PART);

    CHECK(p != NULL);
    return p;
}

static void free_twice(void *arg)
{
    void *p = other(*(size_t *)arg);

    sm_free(p);
    sm_free(p);
}

static void free_twice_late(void *arg)
{
    void *p = other(*(size_t *)arg), *blocks[200];

    sm_free(p);
    for (int i = 0; i < 200; i++)
        blocks[i] = other(*(size_t *)arg + 5000);
    for (int i = 0; i < 200; i++)
        sm_free(blocks[i]);
    sm_free(p);
}

static void free_inside(void *arg)
{
    sm_free((char *)other(*(size_t *)arg) + 16);
}

static void free_unaligned(void *arg)
{
    sm_free((char *)other(*(size_t *)arg) + 8);
}

static void free_never_allocated(void *arg)
{
    other(*(size_t *)arg);
    sm_free((char *)sm_arena.base + sm_arena.span - 4096);
}

static void realloc_freed(void *arg)
{
    void *p = other(*(size_t *)arg);

    sm_free(p);
    CHECK(sm_realloc(p, 10) == NULL);
}

static void size_of_freed(void *arg)
{
    void *p = other(*(size_t *)arg);

    sm_free(p);
    CHECK(sm_usable_size(p) == 0);
}

static void say_misuse(void *arg)
{
    const struct misuse *misuse = arg;
    size_t size = misuse->size;

    start_heap();
    misuse->fn(&size);
}

/* A fresh process, so that the messages go where the test reads them. */
Test(heap_messages, misuse)
{
    static struct misuse misuses[] = {
        {free_twice, 20, "fatal: free of a block that is free already (double free): 0x"},
        {free_twice, 20000, "fatal: free of a block that is free already (double free): 0x"},
        {free_twice_late, 20, "fatal: free of a"},
        {free_inside, 100, "fatal: free of an address inside a block or never allocated: 0x"},
        {free_inside, 20000, "fatal: free of an address inside a block or never allocated: 0x"},
        {free_unaligned, 100, "fatal: free of an address that is not aligned: 0x"},
        {free_never_allocated, 9, "fatal: free of an address that was never allocated: 0x"},
        {realloc_freed, 20, "fatal: realloc of a block that is free already (double free): 0x"},
        {size_of_freed, 20, "fatal: usable size of a block that is free already"},
    };

    for (size_t m = 0; m < sizeof(misuses) / sizeof(misuses[0]); m++) {
        int outcome = in_child_saying(say_misuse, &misuses[m], text, sizeof(text));
        cr_assert_eq(outcome, ENDED_BY(SIGABRT), "%zu: %d %s", m, outcome, text);
        cr_assert(strstr(text, misuses[m].says), "%zu: %s", m, text);
        cr_assert_eq(count_of(text, "\n"), 1 + count_of(text, "] #"), "%s", text);
        cr_assert(strstr(text, "] #0 0x") && strstr(text, "] #3 0x"), "a call stack: %s", text);
    }
}
