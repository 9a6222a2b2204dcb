/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks on a kernel that takes secret memory in huge blocks, and on one that does not. */
#include "arena/backing.h"
#include "os/pages.h"
#include "os/seccomp.h"
#include "single_pages.h"
#include <criterion/criterion.h>
#include <sys/resource.h>
#include <unistd.h>

static char text[4096];

/* Takes so many pages of a partition; what is mapped for them, in bytes. */
static size_t mapped_for(unsigned part, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        CHECK(sm_run_take(part, 1, 1));
    return (size_t)(sm_arena.part[part].mapped - sm_arena.part[part].first) << SM_PAGE_SHIFT;
}

static uintptr_t mapped_end(unsigned part)
{
    return (uintptr_t)sm_page_address(sm_arena.part[part].mapped);
}

/* A partition that grows to 8 MiB, page by page: chunks end where blocks do. */
static void grow_in_blocks(void *arg)
{
    unsigned ends = 0;

    (void)arg;
    start(128 * SM_MIB);
    sm_secretmem_huge_known = KERNEL_BLOCK;
    while (mapped_for(SM_PART_KEY, 1) < 8 * SM_MIB)
        ends += mapped_end(SM_PART_KEY) % KERNEL_BLOCK == 0;
    CHECK(ends > 1000 && mapped_end(SM_PART_KEY) % KERNEL_BLOCK == 0);
    /* A large block's worth at once: to the end of a block as well. */
    CHECK(sm_run_take(SM_PART_IO, 5 * SM_MIB / SM_PAGE, 1));
    CHECK(mapped_end(SM_PART_IO) % KERNEL_BLOCK == 0);
}

Test(huge_blocks, grow)
{
    cr_assert_eq(in_child_saying(grow_in_blocks, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* What does not fill a block is mapped as if there were none. */
static void stay_small(void *arg)
{
    size_t *sizes = arg;

    start(128 * SM_MIB);
    sm_secretmem_huge_known = sizes[1];
    sizes[0] = mapped_for(SM_PART_KEY, SM_MIB / SM_PAGE);
    CHECK(sizes[0] <= KERNEL_BLOCK);
    CHECK(sm_secretmem_huge_known == sizes[1]);
    _exit((int)(sizes[0] / (64 * SM_KIB)));
}

Test(huge_blocks, not_for_small)
{
    size_t with[2] = {0, KERNEL_BLOCK}, without[2] = {0, 0},
           not_asked[2] = {0, SM_HUGE_NOT_ASKED};
    int chunks = in_child(stay_small, without);

    cr_assert(chunks >= 16 && chunks <= 32);
    cr_assert_eq(in_child(stay_small, with), chunks);
    cr_assert_eq(in_child(stay_small, not_asked), chunks);
}

/* What the kernel is asked for, where it has blocks of a size; huge pages at all: THP. */
struct asked {
    size_t known;
    uint64_t fatal; /* calls for which a filter kills */
    bool wanted;    /* whether whole blocks are asked for */
};

/* The chunks before the first block are never asked for, as they would be charged as a whole.
 */
static void ask_for_whole(void *arg)
{
    const struct asked *asked = arg;
    bool can = access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0;
    unsigned whole = 0, small = 0;
    struct sm_partition *part = &sm_arena.part[SM_PART_KEY];
    uint32_t before = 0;

    start(128 * SM_MIB);
    sm_secretmem_huge_known = asked->known;
    sm_seccomp_fatal |= asked->fatal;
    while (mapped_for(SM_PART_KEY, 1) < 8 * SM_MIB) {
        if (part->mapped == before)
            continue;
        if (before && part->mapped - before >= KERNEL_BLOCK / SM_PAGE) {
            CHECK(mapping_has(sm_page_address(before), "hg") == (asked->wanted && can));
            whole++;
        } else {
            CHECK(!mapping_has(sm_page_address(before ? before : part->first), "hg"));
            small++;
        }
        before = part->mapped;
    }
    CHECK(small > 0 && (asked->known == 0 || whole >= 2));
}

Test(huge_blocks, asked_for_where_there_are_some)
{
    struct asked asked = {.known = KERNEL_BLOCK, .wanted = true};

    cr_assert_eq(in_child_saying(ask_for_whole, &asked, text, sizeof(text)), 0, "%s", text);
}

Test(huge_blocks, not_asked_for_where_there_are_none)
{
    struct asked asked = {.known = 0};

    cr_assert_eq(in_child_saying(ask_for_whole, &asked, text, sizeof(text)), 0, "%s", text);
}

Test(huge_blocks, not_asked_for_under_a_filter)
{
    struct asked asked = {.known = KERNEL_BLOCK, .fatal = SM_CALL_BIT(SM_CALL_MADVISE)};

    cr_assert_eq(in_child_saying(ask_for_whole, &asked, text, sizeof(text)), 0, "%s", text);
}

/* On a patched kernel, what the kernel says; the first touch of a block takes one. */
static void ask_kernel(void *arg)
{
    struct rlimit limit = {64 * SM_MIB, 64 * SM_MIB};
    long size = kernel_counter("block_size"), before = kernel_counter("blocks");

    (void)arg;
    CHECK(sm_secretmem_huge_size() == (size_t)(size > 0 ? size : 0));
    CHECK(sm_secretmem_huge_size() == sm_secretmem_huge_known);
    if (size <= 0)
        return;
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    start(128 * SM_MIB);
    while (mapped_for(SM_PART_KEY, 1) < 8 * SM_MIB)
        ;
    CHECK(sm_backing_populate(sm_arena.part[SM_PART_KEY].mapped - 1, 1));
    CHECK(kernel_counter("blocks") > before);
}

Test(huge_blocks, of_this_kernel)
{
    cr_assert_eq(in_child_saying(ask_kernel, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

static void may_not_ask(void *arg)
{
    (void)arg;
    start_heap();
    sm_seccomp_fatal = SM_CALL_BIT(SM_CALL_OPENAT);
    CHECK(sm_secretmem_huge_size() == 0);
}

Test(huge_blocks, not_asked_for)
{
    cr_assert_eq(in_child(may_not_ask, NULL), 0);
}
