/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/scavenge.h"
#include "arena/empty.h"
#include "arena/page_runs.h"
#include "base/counters.h"
#include "os/coarse_clock.h"

#define STEP_PAGES 64  /* emptied at once, while other threads wait for the partition */
#define STEP_RUNS  16  /* released at once */
#define PATIENCE   256 /* periods without a try to compact, at most */
#define HOLD       64  /* periods for which memory must be free to be surplus, at most */
#define CALM       256 /* periods without a regret, after which it need be for half as many */

uint32_t sm_scavenge_period = SM_SCAVENGE_PERIOD;
static uint64_t period_end; /* in milliseconds */
static struct sm_lock plan_lock;
static uint32_t plans;
static bool compacting;
static uint32_t futile;          /* free pages that could not be given back */
static unsigned waited;          /* periods since the last try to compact */
static unsigned patience;        /* periods to wait before the next */
static uint64_t returned;        /* sm_stats.returned_bytes at the last plan */
static uint64_t mapped_ever;     /* bytes, at the end of the last period */
static uint64_t returned_ever;   /* the same, of sm_stats.returned_bytes */
static uint64_t returned_lately; /* bytes: each period counts an eighth less than the next */
static unsigned hold_for = 1;    /* periods for which memory must be free to be surplus */
static unsigned held, calm;      /* periods since the last plan, and since the last regret */
static uint32_t live_most;       /* pages of live blocks, falling slowly */

uint32_t sm_scavenge_plan(void)
{
    return __atomic_load_n(&plans, __ATOMIC_ACQUIRE);
}

bool sm_scavenge_compacts(void)
{
    return __atomic_load_n(&compacting, __ATOMIC_RELAXED);
}

/* Gives a little of a partition's surplus back. */
static void step_in(unsigned p)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t before, room, emptied, left;

    /* Retained runs are in chunks too. Without a guard they are one with their neighbours. */
    if (sm_run_release(p, STEP_RUNS))
        return;
    sm_lock_take(&part->lock);
    before = part->surplus;
    room = part->free_pages - (uint32_t)sm_min(part->free_pages, part->ahead);
    room = (uint32_t)sm_min(room, sm_min(before, STEP_PAGES));
    emptied = room ? sm_free_empty(p, room, part->surplus_kinds) : 0;
    left = before - (uint32_t)sm_min(before, emptied);
    if (!emptied && !sm_scavenge_compacts())
        left = 0;
    __atomic_store_n(&part->surplus, left, __ATOMIC_RELAXED);
    if (!emptied && !left)
        __atomic_fetch_add(&futile, before, __ATOMIC_RELAXED);
    sm_lock_drop(&part->lock);
}

void sm_scavenge_step(void)
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        if (sm_unlikely(__atomic_load_n(&sm_arena.part[p].surplus, __ATOMIC_RELAXED) != 0) &&
            sm_empty_is_possible())
            step_in(p);
    }
}

/*
 * The pages that stay though they are free: a quarter of what is in use, and at least the
 * reserve, so that a server between two requests keeps its memory.
 */
static uint32_t reserve_for(uint32_t used)
{
    return (uint32_t)sm_max(used / 4, SM_SCAVENGE_RESERVE >> SM_PAGE_SHIFT);
}

/* What was free in all of the period, in pages. Begins the next period. */
static uint32_t free_throughout(uint32_t low[SM_PARTS])
{
    uint32_t all = 0;

    for (unsigned p = 0; p < SM_PARTS; p++) {
        struct sm_partition *part = &sm_arena.part[p];
        sm_lock_take(&part->lock);
        low[p] = part->free_low - (uint32_t)sm_min(part->free_low, part->ahead);
        part->free_low = part->free_pages + part->retained_pages;
        sm_lock_drop(&part->lock);
        all += low[p];
    }
    return all;
}

static void set_surplus(unsigned p, uint32_t pages)
{
    struct sm_partition *part = &sm_arena.part[p];

    unsigned kinds = pages ? sm_empty_kinds(p) : 0;

    if (!kinds)
        pages = 0;
    sm_lock_take(&part->lock);
    __atomic_store_n(&part->surplus, pages, __ATOMIC_RELAXED); /* also read without the lock */
    part->surplus_kinds = kinds;
    part->may_empty = part->may_empty || pages;
    sm_lock_drop(&part->lock);
}

void sm_scavenge_stop(void)
{
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++)
        set_surplus(p, 0);
}

/* What was not given back in its period stays. */
static void end_plan(void)
{
    sm_scavenge_stop();
    __atomic_store_n(&compacting, false, __ATOMIC_RELAXED);
}

/*
 * Whether it is time to compact: memory is scattered, and the last try gave something back or
 * was long ago.
 */
static bool is_time_to_compact(uint32_t scattered)
{
    if (scattered == 0 || ++waited < patience)
        return false;
    waited = 0;
    return true;
}

/*
 * Ends a period. A program that maps again much of what it gave back works in bursts: what it
 * has then stays for twice as long.
 */
static void learn(void)
{
    uint64_t back = sm_counted(&sm_stats.returned_bytes);
    uint64_t ever = sm_counted(&sm_stats.mapped) + back;
    /* Compacting fills low holes, and that is no regret. */
    bool regret = !compacting && ever - mapped_ever >= SM_SCAVENGE_RESERVE / 2 &&
                  ever - mapped_ever >= returned_lately / 4 && returned_lately != 0;

    returned_lately = returned_lately / 8 * 7 + (back - returned_ever);
    returned_ever = back;
    mapped_ever = ever;
    calm++;
    if (regret) {
        hold_for = (unsigned)sm_min(2 * hold_for, HOLD);
        returned_lately = 0;
        calm = 0;
    } else if (calm % CALM == 0 && hold_for > 1) {
        hold_for /= 2;
    }
}

static void begin_plan(bool compact)
{
    returned = sm_counted(&sm_stats.returned_bytes);
    __atomic_store_n(&compacting, compact, __ATOMIC_RELAXED);
    __atomic_fetch_add(&plans, 1, __ATOMIC_RELEASE);
}

/* A partition's part of what is given back, by its size. */
static uint32_t share_of(unsigned p, uint32_t pages, uint32_t mapped)
{
    const struct sm_partition *part = &sm_arena.part[p];
    uint32_t own = part->mapped - part->first - part->hole_pages;

    return mapped ? (uint32_t)((uint64_t)pages * own / mapped) : 0;
}

/* gained: memory was compacted until now, and some went back. Called with plan_lock held. */
static void make_plan(bool gained)
{
    uint32_t low[SM_PARTS], all = free_throughout(low);
    uint32_t mapped =
        (uint32_t)(__atomic_load_n(&sm_arena.mapped, __ATOMIC_RELAXED) >> SM_PAGE_SHIFT);
    uint32_t used = mapped - (uint32_t)sm_min(all, mapped), keep = reserve_for(used);
    uint32_t spare = all - (uint32_t)sm_min(all, keep);
    uint32_t scattered = spare; /* free pages between others */

    /* Or pages that are in use for little, unless that may be between two bursts. */
    if (hold_for == 1)
        scattered = (uint32_t)sm_max(spare, used - sm_min(used, 2 * live_most + keep));

    /* Where much of it could not be given back, only compacting helps. */
    if (spare / 2 > __atomic_load_n(&futile, __ATOMIC_RELAXED) && !gained) {
        __atomic_store_n(&futile, 0, __ATOMIC_RELAXED);
        for (unsigned p = 0; p < SM_PARTS; p++)
            set_surplus(p, (uint32_t)((uint64_t)low[p] * spare / all));
        begin_plan(false);
        return;
    }
    __atomic_store_n(&futile,
                     (uint32_t)sm_min(__atomic_load_n(&futile, __ATOMIC_RELAXED), spare),
                     __ATOMIC_RELAXED);
    if (is_time_to_compact(scattered)) {
        for (unsigned p = 0; p < SM_PARTS; p++)
            set_surplus(p, share_of(p, scattered, mapped));
        begin_plan(true);
    }
}

/* Called with plan_lock held. */
static void end_period(uint32_t live)
{
    bool gained = compacting && sm_counted(&sm_stats.returned_bytes) != returned;

    learn();
    if (compacting)
        patience = gained ? 1 : (unsigned)sm_min(2 * patience + 1, PATIENCE);
    end_plan();
    live_most = (uint32_t)sm_max(live_most / 2, live);
    if (++held < hold_for)
        return;
    held = 0;
    make_plan(gained);
}

bool sm_scavenge_due(void)
{
    uint64_t end = __atomic_load_n(&period_end, __ATOMIC_RELAXED);

    return sm_arena.span && sm_coarse_clock() > end;
}

void sm_scavenge_begin(uint64_t live)
{
    uint64_t now = sm_coarse_clock();

    if (!sm_empty_is_possible() || !sm_lock_try(&plan_lock))
        return;
    if (now > period_end) {
        __atomic_store_n(&period_end, now + sm_scavenge_period, __ATOMIC_RELAXED);
        end_period((uint32_t)(live >> SM_PAGE_SHIFT));
    }
    sm_lock_drop(&plan_lock);
}

void sm_scavenge_after_fork(void)
{
    sm_lock_reset(&plan_lock);
    compacting = false;
    returned = returned_ever = returned_lately = 0;
    mapped_ever = sm_arena.mapped;
    futile = 0;
    held = calm = 0;
}
