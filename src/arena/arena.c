/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/arena.h"
#include "base/counters.h"
#include "base/settings.h"
#include "os/fork_copies.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include <sys/resource.h>

struct sm_arena sm_arena;

#define PART_SPAN_MIN (16 * SM_MIB)
#define SHIFT_MIN     20 /* a partition has room for some of the largest kernel pages */

static size_t state_bytes(size_t span)
{
    return sm_round_up((span >> SM_GRANULE_SHIFT) * sizeof(uint16_t), sm_os_page);
}

static size_t page_bytes(size_t span)
{
    return sm_round_up((span >> SM_PAGE_SHIFT) * sizeof(struct sm_page), sm_os_page);
}

static size_t bin_bytes(size_t span)
{
    return sm_round_up(span >> SM_PAGE_SHIFT, sm_os_page);
}

/*
 * At most an eighth of the limit, because the program needs address space too, and a child
 * needs a second arena while it copies.
 */
static size_t span_allowed(void)
{
    struct rlimit limit = {0};

    if (sm_seccomp_forbids(SM_CALL_PRLIMIT) ||
        sm_sys(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) != 0 ||
        limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return limit.rlim_cur / 8;
}

static bool arena_reserve(unsigned shift)
{
    size_t span = (size_t)SM_PARTS << shift;
    size_t tables = state_bytes(span) + page_bytes(span) + bin_bytes(span);
    char *base, *table;

    if (span + tables > span_allowed() && shift > SHIFT_MIN)
        return false;
    base = sm_pages_reserve(span);
    table = base ? sm_pages_reserve_table(tables) : NULL;
    if (!table) {
        if (base)
            sm_pages_unmap(base, span);
        return false;
    }
    sm_arena.part_shift = shift;
    sm_arena.state = (uint16_t *)table;
    sm_arena.pages = (struct sm_page *)(table + state_bytes(span));
    sm_arena.bins = (uint8_t *)table + state_bytes(span) + page_bytes(span);
    sm_arena.base = (uintptr_t)base;
    sm_arena.state_bias = (uintptr_t)table - ((uintptr_t)base >> (SM_GRANULE_SHIFT - 1));
    for (unsigned p = 0; p < SM_PARTS; p++) {
        struct sm_partition *part = &sm_arena.part[p];
        /*
         * Page 0 of a partition is never used, because 0 ends a list, and a guard lies below
         * the partition.
         */
        part->first = p * sm_part_pages() + sm_pages_per_os();
        part->end = (p + 1) * sm_part_pages() - SM_PART_TAIL;
        part->top = part->mapped = part->committed = part->first;
    }
    return true;
}

static struct sm_lock seal_lock; /* sm_arena_init() and sm_arena_seal() may run in any order */
static bool sealed;

static void protect(void)
{
    if (sealed && sm_arena.span)
        sm_pages_read_only(sm_arena.own_page, sizeof(sm_arena.own_page));
}

void sm_arena_seal(void)
{
    sm_lock_take(&seal_lock);
    sealed = true;
    protect();
    sm_lock_drop(&seal_lock);
}

/*
 * Returns the pages of a chunk, a power of two. Where the kernel copies at fork, each file
 * costs a fork some 50 us, whatever is in it, so that chunks are larger there.
 */
static uint32_t chunk_size(void)
{
    size_t most = sm_kernel_copies() ? SM_COPIED_MOST : SM_CHUNKS_MOST;
    size_t chunk = sm_max(SM_CHUNK_LEAST, sm_os_page);

    while (chunk < sm_arena.cap / most)
        chunk *= 2;
    return (uint32_t)(chunk >> SM_PAGE_SHIFT);
}

bool sm_arena_init(void)
{
    unsigned shift = SHIFT_MIN;

    sm_arena.cap = sm_settings.arena_size;
    /*
     * A partition may reach the cap except for its last pages, because most caps are powers of
     * two.
     */
    while (((size_t)1 << shift) < sm_max(sm_arena.cap, PART_SPAN_MIN))
        shift++;
    while (!arena_reserve(shift)) {
        if (--shift < SHIFT_MIN)
            return false;
        sm_arena.cap = sm_min(sm_arena.cap, ((size_t)1 << shift) - 4 * sm_os_page);
    }
    sm_arena.chunk = chunk_size();
    sm_stats.cap = sm_arena.cap;
    /* Stored last, because from then on the arena exists for all threads. */
    __atomic_store_n(&sm_arena.span, (size_t)SM_PARTS << shift, __ATOMIC_RELEASE);
    sm_lock_take(&seal_lock);
    protect();
    sm_lock_drop(&seal_lock);
    return true;
}

struct sm_table_pages sm_table_pages(unsigned table, uint32_t from, uint32_t to, bool whole)
{
    const struct {
        const void *entries;
        size_t size;
    } tables[SM_TABLES] = {
        {sm_arena.pages, sizeof(*sm_arena.pages)},
        {sm_arena.state, SM_STATES_PER_PAGE * sizeof(*sm_arena.state)},
        {sm_arena.bins, sizeof(*sm_arena.bins)},
    };
    uintptr_t start = (uintptr_t)tables[table].entries + from * tables[table].size;
    uintptr_t end = (uintptr_t)tables[table].entries + to * tables[table].size;
    uintptr_t above = sm_round_up(whole ? start : end, sm_os_page);
    uintptr_t below = (whole ? end : start) & ~(sm_os_page - 1);

    start = whole ? above : below;
    end = whole ? below : above;
    return (struct sm_table_pages){(void *)start, start < end ? end - start : 0};
}

void sm_arena_unlock(void)
{
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        struct sm_partition *part = &sm_arena.part[p];
        sm_lock_take(&part->lock);
        sm_pages_unlock(sm_page_address(part->mapped),
                        (size_t)(part->end + SM_PART_TAIL - part->mapped) << SM_PAGE_SHIFT);
        for (unsigned band = 0; band < SM_BANDS; band++) {
            for (uint32_t hole = part->holes[band]; hole; hole = sm_arena.pages[hole].next)
                sm_pages_unlock(sm_page_address(hole),
                                (size_t)sm_arena.pages[hole].pages << SM_PAGE_SHIFT);
        }
        for (unsigned t = 0; t < SM_TABLES; t++) {
            struct sm_table_pages pages =
                sm_table_pages(t, p * sm_part_pages(), part->end + SM_PART_TAIL, false);
            sm_pages_unlock(pages.start, pages.length);
        }
        sm_lock_drop(&part->lock);
    }
}
