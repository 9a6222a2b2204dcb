/* SPDX-License-Identifier: Apache-2.0 */
/* What may leave its partition, where that has no room: nothing that a setting keeps there. */
#include "arena/arena.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/borrow.h"
#include "heap/malloc.h"
#include "support.h"
#include <criterion/criterion.h>

static char text[8192];

Test(borrow, table)
{
    static const struct {
        int route, fork, uncached;
        bool fixed;
        const char *allowed; /* rows from, columns to: BYTES KEY IO PUBLIC */
    } cases[] = {
        {SM_ROUTE_ALL, SM_FORK_COPY, SM_UNCACHED_OFF, false, ".y.y y..y .... ...."},
        {SM_ROUTE_ALL, SM_FORK_COPY, SM_UNCACHED_OFF, true, ".yyy y.yy yy.y yyy."},
        {SM_ROUTE_KEYS, SM_FORK_COPY, SM_UNCACHED_OFF, false, ".y.. y... .... ...."},
        {SM_ROUTE_KEYS, SM_FORK_COPY, SM_UNCACHED_OFF, true, ".y.. y... yy.y yyy."},
        {SM_ROUTE_ALL, SM_FORK_DENY, SM_UNCACHED_OFF, false, ".... ...y .... ...."},
        {SM_ROUTE_ALL, SM_FORK_DENY, SM_UNCACHED_OFF, true, ".... ..yy .y.y .yy."},
        {SM_ROUTE_ALL, SM_FORK_COPY, SM_UNCACHED_PREFER, false, ".y.y ...y .... ...."},
        {SM_ROUTE_ALL, SM_FORK_COPY, SM_UNCACHED_PREFER, true, ".yyy ..yy .y.y .yy."},
        {SM_ROUTE_ALL, SM_FORK_COPY, SM_UNCACHED_REQUIRE, false, ".... ...y .... ...."},
        {SM_ROUTE_ALL, SM_FORK_COPY, SM_UNCACHED_REQUIRE, true, ".... ..yy .y.y .yy."},
        {SM_ROUTE_KEYS, SM_FORK_DENY, SM_UNCACHED_REQUIRE, true, ".... .... .y.y .yy."},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sm_settings.route = cases[i].route;
        sm_settings.fork = cases[i].fork;
        sm_settings.uncached = cases[i].uncached;
        sm_arena.fixed = cases[i].fixed;
        for (unsigned from = 0; from < SM_PARTS; from++) {
            for (unsigned to = 0; to < SM_PARTS; to++)
                cr_assert_eq(sm_may_borrow(from, to),
                             cases[i].allowed[from * (SM_PARTS + 1) + to] == 'y',
                             "case %zu, %u to %u", i, from, to);
        }
    }
}

struct promise {
    int route, fork, uncached;
    unsigned part;
    bool fixed;
};

static bool ordinary(const void *p)
{
    return !sm_arena_owns(p) || !sm_is_secret(p);
}

/* No block of a partition lies where the settings say that it does not; more are refused. */
static void keep(void *arg)
{
    const struct promise *promise = arg;
    unsigned refused = 0;

    sm_settings.require = 1;
    sm_settings.route = promise->route;
    sm_settings.fork = promise->fork;
    start_heap_of(256 * SM_KIB);
    for (unsigned p = 0; p < SM_PARTS; p++)
        CHECK(sm_malloc(100, p));
    sm_arena.fixed = promise->fixed;
    for (int i = 0; i < 1000; i++) {
        void *p = sm_malloc(1000, promise->part);
        refused += !p;
        CHECK(!p || !ordinary(p));
        CHECK(!p || promise->fork != SM_FORK_DENY || sm_part_of(p) == promise->part);
    }
    CHECK(refused > 0);
}

Test(borrow, promises)
{
    for (int fixed = 0; fixed < 2; fixed++) {
        struct promise keys = {SM_ROUTE_KEYS, SM_FORK_COPY, 0, SM_PART_KEY, fixed};
        struct promise deny = {SM_ROUTE_ALL, SM_FORK_DENY, 0, SM_PART_BYTES, fixed};
        cr_assert_eq(in_child_saying(keep, &keys, text, sizeof(text)), 0, "%s", text);
        cr_assert_eq(count_of(text, ": allocations fail; "), 1, "%s", text);
        keys.part = SM_PART_BYTES;
        cr_assert_eq(in_child_saying(keep, &keys, text, sizeof(text)), 0, "%s", text);
        cr_assert_eq(in_child_saying(keep, &deny, text, sizeof(text)), 0, "%s", text);
        cr_assert_eq(count_of(text, ": allocations fail; "), 1, "%s", text);
    }
}

/* A full arena is no reason either to put key bytes where a cache has them. */
static void never_cached(void *arg)
{
    (void)arg;
    start_heap_of(64 * SM_KIB);
    for (int i = 0; i < 40; i++)
        sm_malloc(4000, SM_PART_KEY);
    sm_settings.uncached = SM_UNCACHED_REQUIRE;
    for (int i = 0; i < 100; i++) {
        void *p = sm_malloc(1000, SM_PART_BYTES);
        CHECK(!p || sm_part_of(p) == SM_PART_BYTES);
    }
    CHECK(sm_stats.failed > 50);
}

Test(borrow, never_cached)
{
    cr_assert_eq(in_child_saying(never_cached, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, ": allocations of key bytes fail; "), 1, "%s", text);
}

/* Where it is not required the C library gets them, and the line names who has them then. */
static void denied_and_spilled(void *arg)
{
    (void)arg;
    sm_settings.fork = SM_FORK_DENY;
    start_heap_of(64 * SM_KIB);
    for (int i = 0; i < 100; i++)
        CHECK(sm_malloc(1000, SM_PART_BYTES));
}

Test(borrow, denied_and_spilled)
{
    cr_assert_eq(in_child_saying(denied_and_spilled, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(
        count_of(
            text,
            ": key bytes fall back to the C library, where forked children have them too; "),
        1, "%s", text);
}
