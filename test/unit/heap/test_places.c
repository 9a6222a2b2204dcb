/* SPDX-License-Identifier: Apache-2.0 */
/* Where the allocator's own data lie, and what becomes of them under limits that come later. */
#include "arena/shortage.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "os/pages.h"
#include "os/seccomp.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

static void write_setting(void *arg)
{
    start_heap();
    if (arg)
        sm_heap_seal();
    *(volatile int *)&sm_settings.require = 1;
}

static void write_place(void *arg)
{
    start_heap();
    /* The arena is there before, or comes after. */
    if (*(int *)arg == 1)
        CHECK(sm_malloc(100, SM_PART_KEY));
    if (*(int *)arg)
        sm_heap_seal();
    CHECK(sm_malloc(100, SM_PART_KEY));
    *(volatile uintptr_t *)&sm_arena.base = sm_arena.base;
}

Test(places, sealed)
{
    int before = 1, after = 2, never = 0;

    cr_assert_eq(in_child(write_setting, NULL), 0, "the control");
    cr_assert_eq(in_child(write_setting, &before), ENDED_BY(SIGSEGV));
    cr_assert_eq(in_child(write_place, &never), 0, "the control");
    cr_assert_eq(in_child(write_place, &before), ENDED_BY(SIGSEGV));
    cr_assert_eq(in_child(write_place, &after), ENDED_BY(SIGSEGV));
}

/* Nothing that can be written to, or read, ends where they begin, or the other way round. */
Test(places, alone)
{
    const char *tables, *end;

    start_heap();
    cr_assert(sm_malloc(100, SM_PART_KEY));
    tables = (const char *)sm_arena.state;
    end = (const char *)sm_arena.bins + (sm_arena.span >> SM_PAGE_SHIFT);
    cr_assert(accessible(tables) && accessible(end - 1));
    cr_assert(!accessible(tables - 1) && !accessible(end));
    if (!sm_cache)
        cr_skip_test("Valgrind and sanitizers: no thread caches");
    cr_assert(accessible(sm_cache) && !accessible((const char *)sm_cache - 1));
}

static unsigned fill(unsigned part, size_t size)
{
    unsigned blocks = 0;

    while (sm_arena_malloc(size, part))
        blocks++;
    return blocks;
}

/* Address space is given back, what is mapped stays, and the reason is the right one. */
Test(places, shrunk)
{
    unsigned char *live;
    uint32_t end;

    start_heap();
    live = sm_malloc(5000, SM_PART_PUBLIC);
    cr_assert(live);
    memset(live, 7, 5000);
    end = sm_arena.part[SM_PART_PUBLIC].end;
    cr_assert(accessible(&sm_arena.pages[end]), "the control");
    sm_arena_shrink(32 * SM_MIB);
    cr_assert_lt(sm_arena.part[SM_PART_PUBLIC].end, end);
    cr_assert(!accessible(&sm_arena.pages[end]) && !accessible(sm_page_address(end)));
    cr_assert(all_bytes(live, 7, 5000));
    sm_settings.route = SM_ROUTE_KEYS; /* in ordinary memory, which nobody limits */
    cr_assert_gt(fill(SM_PART_PUBLIC, 100000), 8);
    cr_assert_eq(sm_short_now.why, SM_SHORT_SPACE);
    sm_free(live);
    /* More than there is changes nothing. */
    end = sm_arena.part[SM_PART_KEY].end;
    sm_arena_shrink(SIZE_MAX / 2);
    cr_assert_eq(sm_arena.part[SM_PART_KEY].end, end);
}

/* Where mremap is forbidden, secret memory can be had, but not moved. */
Test(places, not_to_be_moved)
{
    struct sm_secret_map map = {0};

    start_heap();
    map.length = sm_os_page;
    sm_pages_map_secret(&map);
    cr_assert_eq(map.error, 0);
    sm_seccomp_fatal |= SM_CALL_BIT(SM_CALL_MREMAP);
    map = (struct sm_secret_map){.length = sm_os_page};
    sm_pages_map_secret(&map);
    cr_assert_eq(map.error, 0);
    map = (struct sm_secret_map){.length = sm_os_page, .to_move = true};
    sm_pages_map_secret(&map);
    cr_assert_eq(map.error, -EPERM);
}

/* Secret pages never become a copy in ordinary memory. The filter comes after they were made.
 */
Test(places, secret_is_not_copied)
{
    struct sm_secret_map map = {.to_move = true};
    char *ordinary, *to;

    start_heap();
    map.length = sm_os_page;
    sm_pages_map_secret(&map);
    ordinary = sm_pages_private(sm_os_page, false);
    to = sm_pages_private(sm_os_page, false);
    cr_assert(map.error == 0 && ordinary && to);
    memset(map.address, 1, 100);
    memset(ordinary, 2, 100);
    filter_call(SYS_mremap, SECCOMP_RET_ERRNO | EPERM);
    cr_assert_eq(sm_pages_move(map.address, to, sm_os_page, true), -EPERM);
    cr_assert(all_bytes(to, 0, 100) && all_bytes(map.address, 1, 100));
    cr_assert_eq(sm_pages_move(ordinary, to, sm_os_page, false), 0);
    cr_assert(all_bytes(to, 2, 100));
}

static void copy(void *arg)
{
    volatile uint32_t progress = 0;
    struct sm_fork_copy made = {.progress = &progress};
    size_t size = 2 * SM_MIB;
    char *block;

    (void)arg;
    start_heap();
    block = sm_malloc(size, SM_PART_IO);
    CHECK(block);
    memset(block, 3, size);
    CHECK(sm_fork_copy_make(&made) == NULL);
    CHECK(made.pages >= size / SM_PAGE);
    /* For each page that becomes present, and again while they are copied */
    CHECK(progress >= made.pages / (sm_os_page / SM_PAGE) + size / (256 * SM_KIB));
    CHECK(sm_fork_copy_place(&made) == NULL);
    CHECK(all_bytes(block, 3, size));
}

/* A parent waits for as long as its child shows progress, however large the copy. */
Test(places, progress)
{
    cr_assert_eq(in_child(copy, NULL), 0);
}
