/* SPDX-License-Identifier: Apache-2.0 */
/* What malloc and free find out about blocks: overruns, writes after free; and that the
 * place of the next block is not known. Other misuse is in test_malloc.c. */
#include "arena/size_class.h"
#include "base/settings.h"
#include "blocks.h"
#include "heap/canary.h"
#include "os/seccomp.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static char text[8192];

static void init(void)
{
    start_heap_of(16 * SM_MIB);
}

TestSuite(heap_checks, .init = init);

struct fault {
    size_t size, at;
    unsigned char value;
    bool aligned;
};

/* A write of one byte into what is behind a block, which is freed then */
static void overrun(void *arg)
{
    const struct fault *fault = arg;
    unsigned char *p;

    start_heap();
    p = fault->aligned ? sm_aligned_malloc(64, fault->size, PART) : take(fault->size);
    memset(p, 0xff, fault->size);
    p[sm_usable_size(p) + fault->at] = fault->value;
    sm_free(p);
}

static void check_overrun(struct fault fault)
{
    int outcome = in_child_saying(overrun, &fault, text, sizeof(text));

    cr_assert_eq(outcome, ENDED_BY(SIGABRT), "%zu + %zu = %u: %d %s", fault.size, fault.at,
                 fault.value, outcome, text);
    cr_assert(strstr(text, "fatal: overrun: "), "%s", text);
}

Test(heap_checks_limits, overrun_by_one)
{
    for (size_t i = 0; i < SIZES; i++) {
        check_overrun((struct fault){sizes[i], 0, 0, false});
        check_overrun((struct fault){sizes[i], 0, 0x42, false}); /* the canary's are odd */
    }
    check_overrun((struct fault){100, 0, 0, true});
    check_overrun((struct fault){5000, 0, 0, true});
}

/* The control: the same with the last byte that is the program's. */
static void within(void *arg)
{
    struct fault *fault = arg;

    start_heap();
    for (size_t i = 0; i < SIZES; i++) {
        unsigned char *p = take(sizes[i]);
        memset(p, fault->value, sizes[i]);
        sm_free(p);
    }
}

Test(heap_checks_limits, within)
{
    struct fault fault = {.value = 0};

    cr_assert_eq(in_child_saying(within, &fault, text, sizeof(text)), 0, "%s", text);
    fault.value = 0xff;
    cr_assert_eq(in_child_saying(within, &fault, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

static void overrun_without_zero(void *arg)
{
    sm_settings.zero = 0;
    overrun(arg);
}

Test(heap_checks_limits, overrun_without_zero)
{
    for (size_t i = 0; i < SIZES; i += 3) {
        struct fault fault = {sizes[i], 0, 0, false};
        cr_assert_eq(in_child_saying(overrun_without_zero, &fault, text, sizeof(text)),
                     ENDED_BY(SIGABRT), "%zu", sizes[i]);
        cr_assert(strstr(text, "fatal: overrun: "), "%s", text);
    }
}

/* A resize in place looks too, and a move frees. */
static void overrun_then_realloc(void *arg)
{
    size_t *from_to = arg;
    unsigned char *p;

    start_heap();
    p = take(from_to[0]);
    p[from_to[0]] = 0;
    sm_realloc(p, from_to[1]);
}

Test(heap_checks_limits, overrun_then_realloc)
{
    static size_t ways[][2] = {{100, 105},     {105, 100},     {100, 1000},   {1000, 10},
                               {20000, 20100}, {20000, 60000}, {20000, 9000}, {20000, 100}};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        int outcome = in_child_saying(overrun_then_realloc, ways[i], text, sizeof(text));
        cr_assert_eq(outcome, ENDED_BY(SIGABRT), "%zu to %zu", ways[i][0], ways[i][1]);
        cr_assert(strstr(text, "fatal: overrun: "), "%s", text);
    }
}

/* Writes to a freed block, and takes blocks until it is given out again. */
static void write_after_free(void *arg)
{
    const struct fault *fault = arg;
    unsigned char *p;

    start_heap();
    p = take(fault->size);
    sm_free(p);
    p[fault->at] = fault->value;
    for (int i = 0; i < 300; i++)
        take(fault->size);
}

Test(heap_checks_limits, write_after_free)
{
    for (size_t i = 0; i < SIZES; i++) {
        size_t places[] = {0, sizes[i] / 2, sizes[i] - 1};
        for (int j = 0; j < 3; j++) {
            struct fault fault = {sizes[i], places[j], 1, false};
            int outcome = in_child_saying(write_after_free, &fault, text, sizeof(text));
            cr_assert_eq(outcome, ENDED_BY(SIGABRT), "%zu, byte %zu: %d %s", fault.size,
                         fault.at, outcome, text);
            cr_assert(strstr(text, "fatal: write after free: "), "%s", text);
        }
    }
}

/* The address that is named is that of the byte. */
static void say_where(void *arg)
{
    unsigned char *p;

    start_heap();
    p = take(1000);
    dprintf(2, "at %p\n", (void *)(p + 777));
    sm_free(p);
    p[777] = 1;
    for (int i = 0; i < 300; i++)
        take(1000);
    (void)arg;
}

Test(heap_checks_limits, write_after_free_address)
{
    char *first;

    cr_assert_eq(in_child_saying(say_where, NULL, text, sizeof(text)), ENDED_BY(SIGABRT));
    first = strtok(text, "\n");
    cr_assert(strncmp(first, "at ", 3) == 0, "%s", first);
    cr_assert(strstr(strtok(NULL, "\n"), first + 3), "%s", first);
}

/* The bytes that a block gains in place were free before, and are looked at as well. */
static void write_and_grow(void *arg)
{
    const size_t *way = arg; /* from, to, and the byte */
    unsigned char *p, *behind;

    start_heap();
    sm_free(take(SM_MIB)); /* room for it all */
    p = take(way[0]);
    behind = take(200000); /* freed pages, of a large block, follow one */
    sm_free(behind);
    CHECK(way[0] < SM_SMALL_MAX || behind == p + whole_bytes(way[0]) + os_page());
    if (way[2])
        p[way[2]] = 1;
    CHECK(sm_realloc(p, way[1]) == p);
    CHECK(all_bytes(p, 0, way[1]));
}

Test(heap_checks_limits, write_to_what_is_gained)
{
    /* 60,000 with pages of 4096, and the first byte behind the guard: 24,576 */
    size_t page = os_page(), end = whole_bytes(20000);
    size_t more = end + 9 * page + 2656, behind = end + page;
    size_t ways[][3] = {{81, 95, 88},
                        {81, 95, 94},
                        {82, 95, 90},
                        {4100, 5000, 4200},
                        {4100, 5000, 4999},
                        {4100, 5000, 4112},
                        {20000, 20400, 20008},
                        {20000, 20400, 20399},
                        {20000, more, end + 2 * page + 1328},
                        {20000, more, more - 1},
                        {20000, more, behind}};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        size_t control[3] = {ways[i][0], ways[i][1], 0};
        int outcome = in_child_saying(write_and_grow, ways[i], text, sizeof(text));
        bool own = ways[i][2] < end_of_block(ways[i][0]);
        cr_assert_eq(outcome, ENDED_BY(SIGABRT), "%zu to %zu, byte %zu: %d %s", ways[i][0],
                     ways[i][1], ways[i][2], outcome, text);
        /* What a block had behind its end all the time was its own to overrun. */
        cr_assert(strstr(text, own ? "fatal: overrun: " : "fatal: write after free: "), "%s",
                  text);
        cr_assert_eq(in_child_saying(write_and_grow, control, text, sizeof(text)), 0, "%s",
                     text);
        cr_assert_str_eq(text, "");
    }
}

/* Where a filter kills for what loading a library takes, the message must do. */
static void under_a_filter(void *arg)
{
    void *p;

    start_heap();
    p = take(100);
    sm_free(p);
    sm_seccomp_fatal = 1U << SM_CALL_OPENAT;
    sm_free(p);
    (void)arg;
}

Test(heap_checks_limits, under_a_filter)
{
    cr_assert_eq(in_child_saying(under_a_filter, NULL, text, sizeof(text)), ENDED_BY(SIGABRT));
    cr_assert(strstr(text, "(double free): 0x"), "%s", text);
    cr_assert(strstr(text, "no call stack: a seccomp filter is in the way\n"), "%s", text);
    cr_assert_eq(count_of(text, "\n"), 2, "%s", text);
}

/* With SECRETSSL_ZERO=0 a free slot is not clear: that is no fault, nor is it hidden. */
static void not_cleared(void *arg)
{
    sm_settings.zero = 0;
    start_heap();
    for (size_t i = 0; i < SIZES; i++) {
        for (int j = 0; j < 100; j++) {
            unsigned char *p = take(sizes[i]);
            memset(p, 0xee, sizes[i]);
            sm_free(p);
            CHECK(all_bytes(p, 0xee, sizes[i]));
        }
    }
    (void)arg;
}

Test(heap_checks_limits, not_cleared)
{
    cr_assert_eq(in_child_saying(not_cleared, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* The canary is right after every resize, or the next free would end the test. */
Test(heap_checks, canary_after_realloc)
{
    for (size_t from = 1; from < 300; from += 3) {
        for (size_t to = 1; to < 300; to += 7) {
            unsigned char *p = memset(take(from), 5, from);
            p = sm_realloc(p, to);
            cr_assert(sm_canary_good(p, to), "%zu to %zu", from, to);
            cr_assert(all_bytes(p, 5, sm_min(from, to)));
            memset(p, 0xff, to);
            cr_assert(sm_canary_good(p, to), "%zu to %zu", from, to);
            sm_free(p);
        }
    }
}

Test(heap_checks, canary_after_realloc_of_large)
{
    static const size_t large[] = {20000, 20001, 20007, 20003, 20473, 20479, 20480,
                                   20481, 30000, 9001,  8193,  60005, 24575, 24577};
    unsigned char *p = memset(take(20000), 5, 20000);
    size_t had = 20000;

    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
            size_t n = large[(i * (round * 2 + 1)) % (sizeof(large) / sizeof(large[0]))];
            p = sm_realloc(p, n);
            cr_assert(all_bytes(p, 5, sm_min(had, n)), "%zu to %zu", had, n);
            cr_assert(n <= had || all_bytes(p + had, 0, n - had), "%zu to %zu", had, n);
            if (n % SM_PAGE)
                cr_assert(sm_canary_good(p, n), "%zu to %zu", had, n);
            memset(p, 5, n);
            had = n;
        }
    }
    sm_free(p);
}

/* Overflows of sizes that no arithmetic may hide */
Test(heap_checks, absurd_sizes)
{
    unsigned char *p = take(8), *q = take(20000);

    sm_settings.require = 1;
    for (size_t less = 0; less < 40; less++) {
        cr_assert_null(sm_realloc(p, SIZE_MAX - less), "%zu", less);
        cr_assert_null(sm_realloc(q, SIZE_MAX - less), "%zu", less);
        cr_assert_null(sm_malloc(SIZE_MAX - less, PART), "%zu", less);
        for (size_t align = 16; align <= 8192; align *= 2)
            cr_assert_null(sm_aligned_malloc(align, SIZE_MAX - less, PART), "%zu", less);
    }
    cr_assert_eq(sm_usable_size(p), 8);
    cr_assert_eq(sm_usable_size(q), 20000);
    sm_free(p);
    sm_free(q);
}

/* Where the first blocks of a process lie within their run */
#define ORDER 24

static void order(void *arg)
{
    uint16_t *places = arg;

    start_heap();
    for (int i = 0; i < ORDER; i++)
        places[i] = (uint16_t)((uintptr_t)take(60) % SM_PAGE);
}

Test(heap_checks_limits, order_differs_from_run_to_run)
{
    uint16_t(*places)[ORDER] =
        mmap(NULL, SM_PAGE * 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool seen[SM_PAGE / SM_GRANULE] = {false};
    unsigned first_places = 0, ascending = 0;

    for (int run = 0; run < 64; run++) {
        cr_assert_eq(in_child(order, places[run]), 0);
        for (int before = 0; before < run; before++)
            cr_assert(memcmp(places[run], places[before], sizeof(places[0])) != 0);
        first_places += !seen[places[run][0] / SM_GRANULE];
        seen[places[run][0] / SM_GRANULE] = true;
        for (int i = 1; i < ORDER; i++)
            ascending += places[run][i] > places[run][i - 1];
    }
    /* A page has room for 64 of them: of 64 runs some 40 begin elsewhere than those before. */
    cr_assert_geq(first_places, 20, "%u", first_places);
    /* Half of all steps go up if the order is random; 5 standard deviations are 96. */
    cr_assert(ascending > 64 * (ORDER - 1) / 2 - 250 && ascending < 64 * (ORDER - 1) / 2 + 250,
              "%u of %d", ascending, 64 * (ORDER - 1));
}
