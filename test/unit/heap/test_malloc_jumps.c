/* SPDX-License-Identifier: Apache-2.0 */
/* Overruns that jump over the canary, and blocks of size 0, which have no byte to write to. */
#include "arena/size_class.h"
#include "base/settings.h"
#include "blocks.h"
#include "heap/canary.h"
#include "heap/thread_cache.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

static char text[8192];

static void init(void)
{
    start_heap_of(16 * SM_MIB);
}

TestSuite(jumps, .init = init);

struct fault {
    size_t size, at;
    unsigned char value;
};

static unsigned others; /* blocks of size 0 that a child takes before */

/* The third block of a size is overrun: the first two were given out and freed. */
static void jump(void *arg)
{
    const struct fault *fault = arg;

    start_heap();
    for (int i = 0; i < 3; i++) {
        unsigned char *p = take(fault->size);
        p[fault->at] = i == 2 ? fault->value : 0;
        sm_free(p);
    }
}

/* One that jumps over the canary, to any byte that is nobody else's */
Test(jumps_limits, overrun_that_jumps)
{
    unsigned places = 0;

    start_heap();
    for (size_t i = 0; i < SIZES; i++) {
        size_t from = SM_EXTENT(sizes[i]), end = end_of_block(sizes[i]);
        size_t at[] = {from, from + 7, from + 8, from + 16, (from + end) / 2, end - 1};
        for (size_t j = 0; j < sizeof(at) / sizeof(at[0]); j++) {
            if (at[j] < from || at[j] >= end)
                continue;
            struct fault fault = {sizes[i], at[j], 1};
            cr_assert_eq(in_child_saying(jump, &fault, text, sizeof(text)), ENDED_BY(SIGABRT),
                         "%zu + %zu", sizes[i], at[j]);
            cr_assert(strstr(text, "fatal: overrun: "), "%s", text);
            places++;
        }
    }
    cr_assert_gt(places, 40, "%u", places);
}

/* Every byte of the smallest slots */
Test(jumps_limits, overrun_within_small_slots)
{
    for (size_t n = 1; n < 256; n = n < 40 ? n + 1 : n + 23) {
        for (size_t at = SM_EXTENT(n); at < sm_round_up(n + 1, SM_GRANULE); at++) {
            struct fault fault = {n, at, 'x'}, control = {n, at, 0};
            cr_assert_eq(in_child_saying(jump, &fault, text, sizeof(text)), ENDED_BY(SIGABRT),
                         "%zu + %zu", n, at);
            cr_assert(strstr(text, "fatal: overrun: "), "%s", text);
            cr_assert_eq(in_child_saying(jump, &control, text, sizeof(text)), 0, "%s", text);
        }
    }
}

/* Nothing can be told of it where nothing is cleared, and nothing false is said. */
static void jump_without_zero(void *arg)
{
    sm_settings.zero = 0;
    jump(arg);
}

Test(jumps_limits, jump_without_zero)
{
    for (size_t i = 0; i < SIZES; i++) {
        struct fault fault = {sizes[i], end_of_block(sizes[i]) - 1, 'x'};
        if (fault.at < SM_EXTENT(sizes[i]))
            continue;
        cr_assert_eq(in_child_saying(jump_without_zero, &fault, text, sizeof(text)), 0, "%s",
                     text);
    }
}

/* A block of no bytes has none to write to. Those that come after others are in slots. */
static void write_to_nothing(void *arg)
{
    const struct fault *fault = arg;
    unsigned char *p;

    start_heap();
    for (unsigned i = 0; i < others; i++)
        take(0);
    p = take(0);
    CHECK(sm_usable_size(p) == 0 && sm_is_secret(p));
    if (fault->value) /* even, as no byte of the canary is */
        p[fault->at] = fault->value;
    if (fault->size)
        sm_realloc(p, fault->size);
    else
        sm_free(p);
}

Test(jumps_limits, write_to_an_empty_block)
{
    static const size_t to[] = {0, 1, 15, 100, 20000};

    for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
        for (size_t at = 0; at < 16; at++) {
            struct fault fault = {to[i], at, 'B'}, control = {to[i], at, 0};
            others = 0;
            cr_assert_eq(in_child(write_to_nothing, &fault), ENDED_BY(SIGSEGV));
            cr_assert_eq(in_child(write_to_nothing, &control), 0);
            others = SM_STATES_PER_PAGE;
            cr_assert_eq(in_child_saying(write_to_nothing, &fault, text, sizeof(text)),
                         ENDED_BY(SIGABRT), "%zu, byte %zu", to[i], at);
            cr_assert(strstr(text, "fatal: overrun: "), "%s", text);
            cr_assert_eq(in_child_saying(write_to_nothing, &control, text, sizeof(text)), 0,
                         "%s", text);
        }
    }
}

Test(jumps, empty_blocks)
{
    unsigned char *p = take(0), *q = take(0);
    int64_t live;
    uint64_t allocations, frees;

    cr_assert_neq(p, q);
    sm_thread_caches_sum(&allocations, &frees, &live);
    cr_assert_eq(allocations, 2);
    cr_assert_eq(live, 0);
    p = sm_realloc(p, 10);
    cr_assert(all_bytes(p, 0, 10));
    cr_assert_eq(sm_usable_size(p), 10);
    sm_free(p);
    sm_free(q);
    sm_thread_caches_sum(&allocations, &frees, &live);
    cr_assert_eq(live, 0);
}
