/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program sets itself a limit on address space while it runs. Only address space is given
 * back. The kernel puts no mapping in the gap of its own accord (sm_pages_reserve), so no
 * address there is in use, and its table entries are not looked up.
 */
#include "arena/arena.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"

#define LEAST SM_MIB /* of a partition: some of the largest kernel pages */

/*
 * Called with the partition's lock held. Limits the partition to bytes, except for what it
 * already uses.
 */
static void partition_shrink(unsigned p, size_t bytes)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t per_os = sm_pages_per_os();
    uint32_t last = part->end + SM_PART_TAIL,
             end = part->first + (uint32_t)(bytes >> SM_PAGE_SHIFT);

    /* Tables are committed ahead of mapped pages. */
    end = (uint32_t)sm_max(end, sm_max(part->mapped, part->committed) + SM_PART_TAIL);
    end = (uint32_t)sm_round_up(end, per_os);
    if (end + SM_PART_TAIL >= last)
        return;
    part->end = end;
    part->shrunk = true;
    end += SM_PART_TAIL;
    sm_pages_unmap(sm_page_address(end), (size_t)(last - end) << SM_PAGE_SHIFT);
    for (unsigned t = 0; t < SM_TABLES; t++) {
        struct sm_table_pages pages = sm_table_pages(t, end, last, true);
        if (pages.length)
            sm_pages_unmap(pages.start, pages.length);
    }
}

void sm_arena_shrink(size_t allowed)
{
    size_t bytes = sm_max(sm_min(allowed / 8, sm_arena.span) / SM_PARTS, LEAST);

    if (sm_seccomp_forbids(SM_CALL_MUNMAP))
        return;
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        sm_lock_take(&sm_arena.part[p].lock);
        partition_shrink(p, bytes);
        sm_lock_drop(&sm_arena.part[p].lock);
    }
}
