/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/large.h"
#include "arena/backing.h"
#include "arena/guard_pages.h"
#include "arena/page_runs.h"
#include "arena/shortage.h"
#include "base/settings.h"
#include "heap/canary.h"
#include "heap/misuse.h"
#include "heap/quarantine.h"
#include "heap/thread_cache.h"
#include "os/valgrind.h"
#include "os/vector_registers.h"
#include "os/zero.h"
#include <string.h>

/* Rounds up to whole kernel pages, because the guard behind them is a kernel page. */
static size_t pages_for(size_t n)
{
    size_t redzone = sm_on_valgrind() ? SM_MEMCHECK_REDZONE : 0;

    return sm_round_up(n + redzone, sm_os_page) >> SM_PAGE_SHIFT;
}

static void large_mark(uint32_t page, size_t pages)
{
    struct sm_page *run = &sm_arena.pages[page];

    for (size_t i = 0; i < pages; i++) {
        __atomic_store_n(&run[i].use, i ? SM_USE_BODY : SM_USE_LARGE, __ATOMIC_RELAXED);
        run[i].back = 0;
    }
    run->pages = (uint32_t)pages;
}

static size_t run_bytes(const char *p)
{
    return (size_t)sm_arena.pages[sm_page_number(p)].pages << SM_PAGE_SHIFT;
}

/* Whether there are bytes between the block's end and its guard. Valgrind has its own check. */
static bool has_slack(const char *p, size_t n)
{
    return run_bytes(p) > n && !sm_on_valgrind();
}

static void slack_begin(char *p, size_t n)
{
    if (has_slack(p, n))
        sm_canary_put(p, n);
}

/* Checks that nothing wrote behind the block, up to its guard, and removes the canary. */
static void slack_end(char *p, size_t n)
{
    if (!has_slack(p, n))
        return;
    if (!sm_canary_good(p, n) || !sm_rest_good(p, n, run_bytes(p)))
        sm_misuse_overrun(p);
    sm_canary_drop(p, n);
}

/*
 * The runs of a length that this thread keeps. Other threads take them when they find no
 * memory. Runs are whole pages of the kernel, so their lengths differ by so many.
 */
static uint32_t *own_runs(unsigned part, size_t pages)
{
    uint32_t unit = sm_guard_pages();

    return sm_cache && !sm_cache->lean && pages <= sm_round_up(SM_CACHE_RUN_PAGES, unit)
               ? sm_cache->runs[part][pages / unit]
               : NULL;
}

static uint32_t take_own(unsigned part, size_t pages)
{
    uint32_t *runs = own_runs(part, pages), page = 0;

    for (unsigned i = 0; runs && !page && i < SM_CACHE_RUNS; i++)
        page = __atomic_exchange_n(&runs[i], 0, __ATOMIC_ACQUIRE);
    return page;
}

/* Keeps a zeroed run that has its guard, for this thread or for its partition. */
static void keep(uint32_t page, uint32_t pages)
{
    uint32_t *runs = own_runs(sm_part_of(sm_page_address(page)), pages);

    __atomic_store_n(&sm_arena.pages[page].use, SM_USE_RETAINED, __ATOMIC_RELAXED);
    for (unsigned i = 0; runs && page && i < SM_CACHE_RUNS; i++)
        page = __atomic_exchange_n(&runs[i], page, __ATOMIC_ACQ_REL);
    if (page)
        sm_run_retain(page, pages);
}

static uint32_t large_take(unsigned part, size_t pages, uint32_t align)
{
    uint32_t guard = sm_guard_pages();
    uint32_t page = align == guard ? take_own(part, pages) : 0;

    if (!page)
        page = sm_run_take_retained(part, (uint32_t)pages, align);
    if (page) {
        __atomic_store_n(&sm_arena.pages[page].use, SM_USE_LARGE, __ATOMIC_RELAXED);
        return page;
    }
    page = sm_run_take(part, (uint32_t)pages + guard, align);
    if (!page)
        return 0;
    if (!sm_backing_populate(page, (uint32_t)pages)) {
        sm_run_give_failed(page, (uint32_t)pages + guard);
        return 0;
    }
    large_mark(page, pages);
    /* Free runs give up their guards before a block goes without. */
    for (unsigned other = 0; sm_guard_scarce() && other < SM_PARTS; other++)
        sm_run_release(other, 1);
    /* The page in place of the guard at least has the canary. */
    if (!sm_guard_set(page + (uint32_t)pages)) {
        if (sm_backing_populate(page + (uint32_t)pages, guard))
            large_mark(page, pages += guard);
        else
            sm_run_give(page + (uint32_t)pages, guard);
    }
    /*
     * Cleared, because the states of earlier blocks would be wrong for the interior of this
     * block.
     */
    memset(sm_state_of(sm_page_address(page)), 0,
           pages * SM_STATES_PER_PAGE * sizeof(uint16_t));
    return page;
}

void *sm_large_alloc(unsigned part, size_t n, size_t align)
{
    size_t pages;
    uint32_t page;
    char *p;

    if (n > sm_arena.cap) {
        sm_short_of(SM_SHORT_BLOCK);
        return NULL;
    }
    pages = pages_for(n);
    page = large_take(part, pages, (uint32_t)(sm_max(align, sm_os_page) >> SM_PAGE_SHIFT));
    if (!page) {
        /* The pages before the aligned place would have filled the arena, not the block. */
        if (sm_short_now.why == SM_SHORT_CAP && align > SM_MIB && align > n)
            sm_short_of(SM_SHORT_ALIGNMENT);
        return NULL;
    }
    p = sm_page_address(page);
    if (SM_CHECK_REUSE && sm_settings.zero && !sm_on_valgrind() && !sm_is_zero(p, run_bytes(p)))
        sm_misuse_dirty(p, run_bytes(p));
    slack_begin(p, n);
    sm_arena.pages[page].size = n;
    *sm_state_of(p) = SM_STATE_LARGE;
    sm_memcheck_forbid(p, pages << SM_PAGE_SHIFT);
    return p;
}

void sm_large_free(void *p)
{
    uint32_t page = sm_page_number(p), pages = sm_arena.pages[page].pages;

    slack_end(p, sm_large_size(page));
    if (sm_settings.zero && sm_on_valgrind())
        memset(p, 0, sm_large_size(page));
    else if (sm_settings.zero)
        sm_zero_dirty(p, sm_round_up(sm_large_size(page), SM_GRANULE));
    /* sm_zero_dirty() loaded the cleared bytes into vector registers. */
    sm_clear_vector_registers();
    sm_memcheck_free(p);
    *sm_state_of(p) = SM_STATE_FREE;
    if (!sm_guarded(page, pages))
        sm_run_give(page, pages);
    else if (!sm_quarantine_is_on() || !sm_quarantine_run(page, sm_cache ? sm_cache->shard : 0))
        keep(page, pages);
}

/* Extends a run. The guard moves to the new end. */
static bool grow(uint32_t page, uint32_t have, uint32_t need)
{
    uint32_t guard = sm_guarded(page, have) ? sm_guard_pages() : 0;
    uint32_t end = page + have;

    if (!sm_run_extend(page, have + guard, need - have))
        return false;
    /* The guard is lifted first, because a page becomes resident by a write to it. */
    if (guard && !sm_guard_lift(end)) {
        sm_run_give(end + guard, need - have);
        return false;
    }
    if (!sm_backing_populate(end, need - have)) {
        if (guard && !sm_guard_set(end))
            sm_run_give_failed(end, need - have + guard);
        else
            sm_run_give_failed(end + guard, need - have);
        return false;
    }
    large_mark(page, need);
    memset(sm_state_of(sm_page_address(end)), 0,
           (need - have) * SM_STATES_PER_PAGE * sizeof(uint16_t));
    sm_memcheck_forbid(sm_page_address(end), (size_t)(need - have) << SM_PAGE_SHIFT);
    if (guard && !sm_guard_set(page + need))
        sm_run_give(page + need, guard);
    return true;
}

static void large_shrink(uint32_t page, uint32_t have, uint32_t need)
{
    uint32_t guard = sm_guarded(page, have) ? sm_guard_pages() : 0;

    if (guard && !sm_guard_lift(page + have))
        guard = 0; /* The guard stays where it is. */
    large_mark(page, need);
    if (guard && sm_guard_set(page + need))
        sm_run_give(page + need + guard, have - need);
    else
        sm_run_give(page + need, have + guard - need);
}

bool sm_large_resize(void *p, size_t n)
{
    uint32_t page = sm_page_number(p);
    size_t have = sm_arena.pages[page].pages, need;
    size_t old = sm_large_size(page);

    if (n > sm_arena.cap)
        return false;
    slack_end(p, old);
    need = pages_for(n);
    if (need > have && !grow(page, (uint32_t)have, (uint32_t)need)) {
        slack_begin(p, old);
        return false;
    }
    /*
     * Checks all memory that was free before. The bytes behind the old end were checked above.
     */
    if (need > have)
        sm_check_growth(p, old, need << SM_PAGE_SHIFT);
    if (n < old && sm_settings.zero)
        memset((char *)p + n, 0, old - n);
    if (need < have)
        large_shrink(page, (uint32_t)have, (uint32_t)need);
    slack_begin(p, n);
    sm_arena.pages[page].size = n;
    return true;
}
