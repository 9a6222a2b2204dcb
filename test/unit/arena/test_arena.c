/* SPDX-License-Identifier: Apache-2.0 */
/* Page runs: taken, given, merged, extended, aligned; and a random mix against a model. */
#include "arena/arena.h"
#include "arena/backing.h"
#include "arena/page_runs.h"
#include "fork/fork_inherit.h"
#include "os/pages.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void init(void)
{
    start_heap_of(8 * SM_MIB);
    cr_assert(sm_arena_init());
}

TestSuite(arena, .init = init);

static uint32_t take(unsigned part, uint32_t pages)
{
    uint32_t page = sm_run_take_present(part, pages);

    cr_assert_neq(page, 0, "no run of %u pages", pages);
    return page;
}

static unsigned char *at(uint32_t page)
{
    return (unsigned char *)sm_page_address(page);
}

Test(arena, nothing_is_mapped_before_it_is_needed)
{
    cr_assert_eq(sm_arena.mapped, 0);
    cr_assert_neq(sm_arena.span, 0);
    take(SM_PART_KEY, 1);
    /* A chunk but for its first page, or the second chunk where one is a page */
    cr_assert_eq(sm_arena.mapped, 64 * SM_KIB - (sm_os_page < 64 * SM_KIB ? sm_os_page : 0));
}

Test(arena, run)
{
    uint32_t page = take(SM_PART_KEY, 3);

    cr_assert(sm_arena_owns(at(page)));
    cr_assert_eq(sm_part_of(at(page)), SM_PART_KEY);
    cr_assert_eq(sm_page_number(at(page)), page);
    cr_assert(all_bytes(at(page), 0, 3 * SM_PAGE));
    memset(at(page), 1, 3 * SM_PAGE);
    for (unsigned i = 0; i < 3; i++)
        cr_assert(sm_arena.pages[page + i].present);
    cr_assert_neq(take(SM_PART_KEY, 1), page);
}

/* Making pages present takes long: that is left to who takes the run. */
Test(arena, run_that_is_not_present)
{
    uint32_t two = whole_pages(2 * os_page()), three = whole_pages(3 * os_page());
    uint32_t page = sm_run_take(SM_PART_KEY, three, 1);

    cr_assert_neq(page, 0);
    for (unsigned i = 0; i < three; i++)
        cr_assert(!sm_arena.pages[page + i].present);
    cr_assert(sm_backing_populate(page, two));
    cr_assert(sm_arena.pages[page + two - 1].present && !sm_arena.pages[page + two].present);
    sm_run_give(page, three);
    cr_assert_eq(take(SM_PART_KEY, three), page);
    cr_assert(sm_arena.pages[page + three - 1].present);
}

Test(arena, foreign_addresses)
{
    int local;

    cr_assert(!sm_arena_owns(NULL));
    cr_assert(!sm_arena_owns(&local));
    cr_assert(!sm_arena_owns((char *)sm_arena.base - 1));
    cr_assert(sm_arena_owns((char *)sm_arena.base));
    cr_assert(sm_arena_owns((char *)sm_arena.base + sm_arena.span - 1));
    cr_assert(!sm_arena_owns((char *)sm_arena.base + sm_arena.span));
}

Test(arena, partitions_are_apart)
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        uint32_t page = take(p, 2);
        cr_assert_eq(sm_part_of(at(page)), p);
        cr_assert_geq(page, sm_arena.part[p].first);
        /* Below the first and above the last page of a partition nothing can be touched. */
        cr_assert(!mapping_has(at(sm_arena.part[p].first) - 1, "rd"));
        cr_assert(!mapping_has(at(sm_arena.part[p].mapped), "rd"));
        cr_assert(mapping_has(at(page), "rd"));
    }
}

Test(arena, secret_memory_is_not_inherited)
{
    uint32_t page = take(SM_PART_KEY, 1);

    cr_assert(mapping_has(at(page), "dc"), "MADV_DONTFORK");
    sm_arena_inherit(true);
    cr_assert(!mapping_has(at(page), "dc"));
    sm_arena_inherit(false);
    cr_assert(mapping_has(at(page), "dc"));
}

/* The tables have no secrets, and no overrun of a block comes near them. */
Test(arena, tables_are_elsewhere)
{
    take(SM_PART_KEY, 1);
    cr_assert(!sm_arena_owns(sm_arena.state));
    cr_assert(!sm_arena_owns(sm_arena.pages));
}

Test(arena, given_runs_come_back)
{
    uint32_t first = take(SM_PART_KEY, 4), second = take(SM_PART_KEY, 4);
    size_t mapped = sm_arena.mapped;

    sm_run_give(first, 4);
    cr_assert_eq(take(SM_PART_KEY, 4), first);
    sm_run_give(first, 4);
    cr_assert_eq(take(SM_PART_KEY, 1), first, "cut from the front");
    cr_assert_eq(take(SM_PART_KEY, 3), first + 1, "and the rest");
    cr_assert_neq(take(SM_PART_KEY, 1), second);
    cr_assert_eq(sm_arena.mapped, mapped);
}

/* In every order three neighbours become one. */
Test(arena, neighbours_merge)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    for (int o = 0; o < 6; o++) {
        uint32_t run = take(SM_PART_KEY, 9), guard = take(SM_PART_KEY, 1);
        uint32_t piece[3] = {run, run + 2, run + 5}, pages[3] = {2, 3, 4};
        for (int i = 0; i < 3; i++)
            sm_run_give(piece[orders[o][i]], pages[orders[o][i]]);
        cr_assert_eq(take(SM_PART_KEY, 9), run, "order %d", o);
        sm_run_give(run, 9);
        sm_run_give(guard, 1);
    }
    cr_assert_eq(sm_arena.part[SM_PART_KEY].free_pages,
                 sm_arena.part[SM_PART_KEY].top - sm_arena.part[SM_PART_KEY].first);
}

Test(arena, extension)
{
    uint32_t four = whole_pages(4 * os_page()), eight = 2 * four;
    uint32_t run = take(SM_PART_KEY, four), next;

    cr_assert(sm_run_extend(run, four, four), "memory that was never used follows");
    cr_assert(!sm_arena.pages[run + four].present, "the caller sees to that");
    cr_assert(sm_backing_populate(run + four, four));
    cr_assert(all_bytes(at(run), 0, eight * SM_PAGE));
    next = take(SM_PART_KEY, four);
    cr_assert_eq(next, run + eight);
    cr_assert(!sm_run_extend(run, eight, 1), "another run follows");
    sm_run_give(next, four);
    cr_assert(!sm_run_extend(run, eight, four + 1), "too little follows");
    cr_assert(sm_run_extend(run, eight, four - 1), "a free run follows");
    cr_assert_eq(take(SM_PART_KEY, 1), run + eight + four - 1, "what was left of it");
    cr_assert(!sm_run_extend(run, eight + four - 1, 1));
}

Test(arena, alignment)
{
    for (uint32_t align = 1; align <= 512; align *= 2) {
        uint32_t page = sm_run_take(SM_PART_KEY, 3, align);
        cr_assert_neq(page, 0, "%u", align);
        cr_assert_eq((uintptr_t)at(page) % (align * SM_PAGE), 0, "%u", align);
        take(SM_PART_KEY, 1);
    }
    cr_assert_eq(sm_run_take(SM_PART_KEY, 1, 1U << 20), 0, "more than there is");
}

Test(arena, prefault)
{
    const struct sm_partition *part = &sm_arena.part[SM_PART_KEY];
    uint32_t pages = whole_pages(100 * SM_PAGE);

    cr_assert_eq(sm_arena_prefault(SM_PART_KEY, 100 * SM_PAGE - 7), pages * SM_PAGE);
    for (uint32_t i = 0; i < pages; i++)
        cr_assert(sm_arena.pages[part->first + i].present);
    cr_assert_eq(take(SM_PART_KEY, pages), part->first, "it is free");
    cr_assert_eq(sm_arena_prefault(SM_PART_KEY, 0), 0);
    cr_assert_lt(sm_arena_prefault(SM_PART_KEY, 9 * SM_MIB), 8 * SM_MIB, "the cap");
    cr_assert_leq(sm_arena.mapped, 8 * SM_MIB);
}

Test(arena, rebuild)
{
    uint32_t run[6];

    for (int i = 0; i < 6; i++) {
        run[i] = take(SM_PART_KEY, 5);
        for (int j = 0; j < 5; j++)
            sm_arena.pages[run[i] + (uint32_t)j].use = j ? SM_USE_BODY : SM_USE_LARGE;
    }
    sm_run_give(run[1], 5);
    sm_run_give(run[2], 5);
    sm_run_give(run[4], 5);
    sm_partition_rebuild(SM_PART_KEY);
    cr_assert_eq(sm_arena.part[SM_PART_KEY].free_pages, 15);
    cr_assert_eq(take(SM_PART_KEY, 10), run[1]);
    cr_assert_eq(take(SM_PART_KEY, 5), run[4]);
    cr_assert_eq(sm_arena.part[SM_PART_KEY].free_pages, 0);
}

#define RUNS  200
#define STEPS 20000

struct model {
    uint32_t page, pages;
    unsigned char mark;
};

static struct model model[RUNS];

static void give(struct model *run)
{
    cr_assert(all_bytes(at(run->page), run->mark, run->pages * SM_PAGE), "run overwritten");
    memset(at(run->page), 0, run->pages * SM_PAGE);
    sm_run_give(run->page, run->pages);
    run->pages = 0;
}

static void mark(struct model *run, uint32_t from)
{
    unsigned char *start = at(run->page + from);

    cr_assert(sm_backing_populate(run->page + from, run->pages - from));
    cr_assert(all_bytes(start, 0, (run->pages - from) * SM_PAGE), "a free page is not zero");
    memset(start, run->mark, (run->pages - from) * SM_PAGE);
    for (uint32_t i = 0; i < run->pages; i++)
        sm_arena.pages[run->page + i].use = i ? SM_USE_BODY : SM_USE_LARGE;
}

static void step(uint64_t *random, struct model *run)
{
    uint64_t r = next_random(random);
    uint32_t align = r & 0xf00 ? 1 : 1U << (r >> 12 & 7), more = 1 + (r >> 16 & 7);

    if (!run->pages) {
        run->pages = 1 + (r & 0x3000 ? r >> 24 & 7 : r >> 24 & 63);
        run->mark = (unsigned char)(1 + (r >> 32) % 255);
        run->page = sm_run_take(SM_PART_KEY, run->pages, align);
        if (!run->page)
            run->pages = 0;
        else
            mark(run, 0);
        cr_assert(!run->pages || (uintptr_t)at(run->page) % (align * SM_PAGE) == 0);
    } else if ((r & 3) == 0 && sm_run_extend(run->page, run->pages, more)) {
        run->pages += more;
        mark(run, run->pages - more);
    } else {
        give(run);
    }
}

/* What is in lists is just what is not in runs. */
static void check_free_pages(void)
{
    const struct sm_partition *part = &sm_arena.part[SM_PART_KEY];
    uint32_t listed = 0, used = 0;

    for (unsigned l = 0; l < SM_BANDS * SM_RUN_LISTS; l++) {
        for (uint32_t page = part->free[l / SM_RUN_LISTS][l % SM_RUN_LISTS]; page;
             page = sm_arena.pages[page].next) {
            cr_assert_eq(sm_arena.pages[page].use, SM_USE_FREE);
            listed += sm_arena.pages[page].pages;
        }
    }
    for (int i = 0; i < RUNS; i++)
        used += model[i].pages;
    cr_assert_eq(listed, part->free_pages);
    cr_assert_eq(listed + used + part->hole_pages, part->top - part->first);
    cr_assert_leq(part->top, part->mapped);
}

Test(arena, random_mix)
{
    uint64_t random = 1;

    for (int i = 0; i < STEPS; i++) {
        step(&random, &model[next_random(&random) % RUNS]);
        if (i % 500 == 0)
            check_free_pages();
    }
    for (int i = 0; i < RUNS; i++) {
        if (model[i].pages)
            give(&model[i]);
    }
    check_free_pages();
    /* All is one run again. */
    const struct sm_partition *part = &sm_arena.part[SM_PART_KEY];
    cr_assert_eq(take(SM_PART_KEY, part->top - part->first), part->first);
}

/* Address space is shared with the program: not in the asan build, which needs it all. */
#if !defined(__SANITIZE_ADDRESS__)
static void limited(void *arg)
{
    struct rlimit limit = {SM_GIB, SM_GIB};
    void *program;

    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    start_heap_of(*(size_t *)arg);
    CHECK(sm_arena_init());
    CHECK(sm_arena.span <= SM_GIB / 8);
    CHECK(sm_arena.cap <= sm_arena.span / SM_PARTS);
    CHECK(sm_arena.cap >= SM_MIB);
    CHECK(sm_run_take(SM_PART_KEY, 100, 1) != 0);
    program = malloc(100 * SM_MIB);
    CHECK(program != NULL);
    free(program);
}

Test(arena_limits, address_space)
{
    size_t size = 256 * SM_MIB;

    cr_assert_eq(in_child(limited, &size), 0);
    size = SM_TIB;
    cr_assert_eq(in_child(limited, &size), 0);
}
#endif

static void any_size(void *arg)
{
    start_heap_of(*(size_t *)arg);
    CHECK(sm_arena_init());
    CHECK(sm_arena.cap == *(size_t *)arg);
    CHECK(sm_run_take(SM_PART_PUBLIC, 1, 1) != 0);
}

Test(arena_limits, every_size)
{
    for (size_t size = 64 * SM_KIB; size <= SM_TIB; size *= 2)
        cr_assert_eq(in_child(any_size, &size), 0, "%zu", size);
}

static void place(void *arg)
{
    uintptr_t here = (uintptr_t)&arg, space = (uintptr_t)1 << (64 - __builtin_clzl(here));

    start_heap();
    CHECK(sm_arena_init());
    /* Where a child that lost the arena maps nothing by chance. */
    CHECK(sm_arena.base >= space / 8 && sm_arena.base + sm_arena.span <= space / 2);
}

Test(arena_limits, place)
{
    cr_assert_eq(in_child(place, NULL), 0);
}
