/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/guard_pages.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/canary.h"
#include "heap/large.h"
#include "support.h"
#include <criterion/criterion.h>
#include <string.h>

#define PART SM_PART_KEY

static void init(void)
{
    start_heap_of(8 * SM_MIB);
    cr_assert(sm_arena_init());
}

TestSuite(large, .init = init);

static unsigned char *take(size_t n)
{
    unsigned char *p = sm_large_alloc(PART, n, 1);

    cr_assert_not_null(p, "%zu", n);
    cr_assert_eq((uintptr_t)p % SM_PAGE, 0);
    cr_assert_eq(*sm_state_of(p), SM_STATE_LARGE);
    cr_assert_eq(sm_large_size(sm_page_number(p)), n);
    return p;
}

/* With the guards of live blocks */
static uint32_t used_pages(void)
{
    const struct sm_partition *part = &sm_arena.part[PART];

    return part->top - part->first - part->free_pages - part->retained_pages;
}

Test(large, sizes)
{
    for (size_t n = SM_SMALL_MAX + 1; n < SM_MIB; n += n / 3 + 1) {
        unsigned char *p = take(n);
        cr_assert(all_bytes(p, 0, n));
        cr_assert_eq(used_pages(), whole_pages(n) + sm_guard_pages(), "%zu", n);
        memset(p, 0xab, n);
        sm_large_free(p);
        cr_assert_eq(used_pages(), 0);
        cr_assert(all_bytes(p, 0, n), "cleared when freed");
        cr_assert_eq(*sm_state_of(p), SM_STATE_FREE);
    }
}

Test(large, not_cleared_without_zero)
{
    unsigned char *p = take(20000);

    sm_settings.zero = 0;
    memset(p, 0xab, 20000);
    sm_large_free(p);
    cr_assert(all_bytes(p, 0xab, 20000));
}

Test(large, alignment)
{
    for (size_t align = 1; align <= SM_MIB; align *= 2) {
        unsigned char *p = sm_large_alloc(PART, 10000, align);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p % align, 0);
    }
}

Test(large, too_much)
{
    cr_assert_null(sm_large_alloc(PART, 8 * SM_MIB + 1, 1));
    cr_assert_null(sm_large_alloc(PART, SIZE_MAX, 1));
    cr_assert_null(sm_large_alloc(PART, SIZE_MAX - 100, 1));
    take(5 * SM_MIB);
    cr_assert_null(sm_large_alloc(PART, 4 * SM_MIB, 1));
}

Test(large, grows_in_place)
{
    unsigned char *p = take(10000);
    size_t more = whole_bytes(10000) + 17712; /* 30,000 with pages of 4096 */

    memset(p, 1, 10000);
    cr_assert(sm_large_resize(p, whole_bytes(10000)), "within its last page");
    cr_assert(sm_large_resize(p, more), "into what follows");
    cr_assert_eq(sm_large_size(sm_page_number(p)), more);
    cr_assert(all_bytes(p, 1, 10000));
    cr_assert(all_bytes(p + 10000, 0, more - 10000));
    cr_assert_eq(sm_stats.degraded, 0, "all of it is secret memory");
    take(SM_PAGE);
    cr_assert(!sm_large_resize(p, whole_bytes(more) + 1), "something is in the way");
    cr_assert_eq(sm_large_size(sm_page_number(p)), more, "and nothing changed");
    cr_assert(!sm_large_resize(p, SIZE_MAX));
    cr_assert(!sm_large_resize(p, 8 * SM_MIB + 1));
}

Test(large, shrinks_in_place)
{
    size_t size = 15 * os_page() - 1440; /* 60,000 with pages of 4096 */
    size_t kept = whole_bytes(9000), left = whole_bytes(size) - kept - os_page();
    unsigned char *p = take(size), *behind = p + kept + sm_os_page;

    memset(p, 1, size);
    cr_assert(sm_large_resize(p, 9000));
    cr_assert_eq(sm_large_size(sm_page_number(p)), 9000);
    cr_assert_eq(used_pages(), whole_pages(9000) + sm_guard_pages());
    cr_assert(all_bytes(p, 1, 9000));
    cr_assert(all_bytes(p + SM_EXTENT(9000), 0, kept - SM_EXTENT(9000)),
              "what it left is cleared");
    cr_assert_eq(take(left - 1056), behind, "and free");
    cr_assert(all_bytes(behind, 0, left - 1056), "and clear");
}
