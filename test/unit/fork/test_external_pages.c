/* SPDX-License-Identifier: Apache-2.0 */
/* Secret pages under memory that another allocator manages: whole, in parts, and at fork. */
#include "base/counters.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "fork/external_ranges.h"
#include "heap/malloc.h"
#include "log/lapse.h"
#include "os/fork_copies.h"
#include "os/page_access.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGES 8

static char *memory;

static size_t bytes(size_t pages)
{
    return pages * sm_os_page;
}

static char *page(size_t number)
{
    return memory + bytes(number);
}

static void init(void)
{
    start_heap_of(64 * SM_MIB);
    memory = sm_pages_private(bytes(PAGES + 1), false);
    cr_assert_not_null(memory);
    /* The kernel's pages may be smaller than those of the test. */
    memory = (char *)sm_round_up((uintptr_t)memory, sm_os_page);
    for (size_t i = 0; i < PAGES; i++)
        memset(page(i), (int)i + 1, bytes(1));
}

TestSuite(external_pages, .init = init);

static bool is_whole(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (!all_bytes(page(i), (unsigned char)(i + 1), bytes(1)))
            return false;
    }
    return true;
}

static bool is_secret(size_t number)
{
    return mapping_is_secret(page(number));
}

Test(external_pages, adopted_and_restored)
{
    cr_assert_eq(sm_external_adopt(memory + 1, bytes(1), SM_EXTERNAL_MLOCKED), -EINVAL);
    cr_assert_eq(sm_external_adopt(memory, 0, SM_EXTERNAL_MLOCKED), -EINVAL);
    cr_assert_not(sm_external_any());
    cr_assert_eq(sm_external_adopt(memory, bytes(PAGES), SM_EXTERNAL_MLOCKED), 0);
    cr_assert(is_whole(0, PAGES) && is_secret(0) && is_secret(PAGES - 1));
    cr_assert(mapping_has(memory, "dc"), "no child inherits it");
    cr_assert(sm_external_any() && sm_external_contains(page(1), bytes(2)));
    cr_assert_not(sm_external_contains(page(PAGES - 1), bytes(2)));
    cr_assert_eq(sm_stats.mlock_bytes, bytes(PAGES));
    cr_assert_eq(sm_external_pages(SM_KIND_SECRET), bytes(PAGES) / SM_PAGE);
    cr_assert_eq(sm_external_restore(memory, bytes(PAGES), false), 0);
    cr_assert(is_whole(0, PAGES) && !is_secret(0));
    cr_assert(!mapping_has(memory, "lo") && !mapping_has(memory, "dc"));
    cr_assert_not(sm_external_any());
    cr_assert_eq(sm_stats.mlock_bytes, 0);
}

Test(external_pages, restored_in_part)
{
    cr_assert_eq(sm_external_adopt(memory, bytes(PAGES), SM_EXTERNAL_MLOCKED), 0);
    cr_assert_eq(sm_page_set_access(page(3), bytes(1), SM_ACCESS_NONE), 0);
    cr_assert_eq(sm_page_set_access(page(4), bytes(1), SM_ACCESS_READ), 0);
    cr_assert_eq(sm_external_restore(page(2), bytes(3), true), 0);
    cr_assert(is_secret(1) && !mapping_has(page(2), "sh") && is_secret(5));
    cr_assert(mapping_has(page(2), "lo"), "it is locked");
    cr_assert_eq(sm_page_access(page(3)), SM_ACCESS_NONE);
    cr_assert_eq(sm_page_access(page(4)), SM_ACCESS_READ);
    cr_assert_eq(sm_page_set_access(page(3), bytes(2), SM_ACCESS_WRITE), 0);
    cr_assert(is_whole(0, PAGES));
    cr_assert_eq(sm_stats.mlock_bytes, bytes(PAGES - 3));
}

Test(external_pages, released_in_parts)
{
    cr_assert_eq(sm_external_adopt(memory, bytes(PAGES), SM_EXTERNAL_MLOCKED), 0);
    sm_external_release(page(2), bytes(1));
    sm_external_release(page(5), bytes(1));
    cr_assert_eq(sm_arena.external, 3);
    cr_assert(sm_external_contains(page(3), bytes(2)));
    cr_assert_not(sm_external_overlap(page(2), bytes(1)));
    cr_assert(sm_external_overlap(page(2), bytes(2)));
    sm_external_release(page(1), bytes(4));
    cr_assert_eq(sm_arena.external, 2, "the first page, and the last two");
    cr_assert_eq(sm_stats.mlock_bytes, bytes(3));
    sm_external_release(memory, bytes(PAGES));
    cr_assert_not(sm_external_any());
    cr_assert_eq(sm_stats.pages[SM_KIND_SECRET], 0);
}

/* With a full table nothing is adopted, and of a range that is cut the end is given up. */
Test(external_pages, full_table)
{
    static char none[1];
    struct sm_external_range fake = {.address = none, .length = SM_PAGE};

    cr_assert_eq(sm_external_adopt(memory, bytes(PAGES - 1), SM_EXTERNAL_MLOCKED), 0);
    for (int i = 1; i < SM_EXTERNAL_RANGES; i++)
        cr_assert_not_null(sm_external_add(&fake));
    cr_assert_null(sm_external_add(&fake));
    cr_assert_eq(sm_external_adopt(page(PAGES - 1), bytes(1), SM_EXTERNAL_MLOCKED), -ENOSPC);
    cr_assert_not(is_secret(PAGES - 1));
    sm_external_release(page(2), bytes(1));
    cr_assert(sm_external_contains(memory, bytes(2)));
    cr_assert_not(sm_external_overlap(page(3), bytes(1)));
    cr_assert_eq(sm_stats.lapses[SM_LAPSE_HEAP_PIECES], 1);
}

Test(external_pages, no_secret_memory)
{
    filter_call(SYS_memfd_secret, SECCOMP_RET_ERRNO | EPERM);
    cr_assert_eq(sm_external_adopt(memory, bytes(PAGES), SM_EXTERNAL_MLOCKED), -EPERM);
    cr_assert_not(sm_external_any());
    cr_assert(is_whole(0, PAGES) && !mapping_has(memory, "sh"));
    cr_assert_eq(sm_stats.mlock_bytes, 0);
}

static void has_copy(void *unused)
{
    (void)unused;
    CHECK(is_whole(0, 3) && is_whole(4, PAGES));
    CHECK(is_secret(0) && is_secret(PAGES - 1));
    CHECK(sm_page_access(page(5)) == SM_ACCESS_READ);
    CHECK(sm_page_access(page(3)) == SM_ACCESS_NONE);
    CHECK(sm_page_set_access(page(3), bytes(1), SM_ACCESS_WRITE) == 0);
    CHECK(is_whole(3, 4));
    CHECK(sm_stats.mlock_bytes == bytes(PAGES));
    memset(memory, 0, bytes(2));
    sm_external_release(memory, bytes(PAGES));
    CHECK(!sm_external_any());
}

Test(external_pages, child_has_a_copy)
{
    cr_assert_eq(sm_external_adopt(memory, bytes(2), SM_EXTERNAL_MLOCKED), 0);
    cr_assert_eq(sm_external_adopt(page(2), bytes(PAGES - 2), SM_EXTERNAL_MLOCKED), 0);
    sm_page_set_access(page(3), bytes(1), SM_ACCESS_NONE);
    sm_page_set_access(page(5), bytes(1), SM_ACCESS_READ);
    cr_assert_eq(in_child(has_copy, NULL), 0);
    cr_assert(is_whole(0, 3) && is_whole(4, PAGES));
    cr_assert_eq(sm_page_access(page(3)), SM_ACCESS_NONE);
}

static void lacks(void *number)
{
    CHECK(!accessible(page((size_t)(uintptr_t)number)));
}

static void has(void *number)
{
    CHECK(accessible(page((size_t)(uintptr_t)number)));
}

Test(external_pages, kept_from_children)
{
    cr_assert_eq(sm_external_adopt(memory, bytes(PAGES), SM_EXTERNAL_MLOCKED), 0);
    sm_external_keep_from_children(page(2), bytes(2), true);
    cr_assert_eq(in_child(lacks, (void *)2), 0);
    cr_assert_eq(in_child(has, (void *)4), 0);
    sm_external_keep_from_children(page(2), bytes(2), false);
    cr_assert_eq(in_child(has, (void *)2), 0);
    cr_assert(is_whole(0, PAGES));
}

Test(external_pages, withheld)
{
    sm_settings.fork = SM_FORK_DENY;
    cr_assert_eq(sm_external_adopt(memory, bytes(PAGES), SM_EXTERNAL_MLOCKED), 0);
    cr_assert_eq(in_child(lacks, NULL), 0);
    cr_assert(is_whole(0, PAGES));
}

static void copy_is_locked(void *unused)
{
    (void)unused;
    CHECK(is_whole(0, PAGES) && !mapping_has(memory, "sh") && mapping_has(memory, "lo"));
    CHECK(sm_external_pages(SM_KIND_LOCKED) == bytes(PAGES) / SM_PAGE);
    CHECK(sm_stats.pages[SM_KIND_LOCKED] >= bytes(PAGES) / SM_PAGE);
    CHECK(in_child(has, NULL) == 0);
}

/* A child without secret memory has locked memory, and so have its own children. */
Test(external_pages, degraded_copy)
{
    cr_assert_eq(sm_external_adopt(memory, bytes(PAGES), SM_EXTERNAL_MLOCKED), 0);
    sm_kernel_copies_not();
    filter_call(SYS_memfd_secret, SECCOMP_RET_ERRNO | EPERM);
    cr_assert_eq(in_child(copy_is_locked, NULL), 0);
}
