/* SPDX-License-Identifier: Apache-2.0 */
/* Random mixes of all sizes, alignments and partitions, every byte checked. */
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "stress.h"
#include "support.h"
#include <criterion/criterion.h>

static struct stress stress;

static void check_empty(void)
{
    uint64_t allocations, frees;
    int64_t live;

    sm_thread_caches_sum(&allocations, &frees, &live);
    cr_assert_eq(live, 0);
    cr_assert_eq(allocations, frees);
    cr_assert_gt(allocations, 0);
}

Test(heap_mix, arena)
{
    start_heap_of(64 * SM_MIB);
    stress = (struct stress){.random = 5, .most = 100000};
    stress_run(&stress, 150000);
    stress_end(&stress);
    check_empty();
    cr_assert_eq(sm_stats.spilled, 0);
    cr_assert_leq(sm_stats.mapped, 64 * SM_MIB);
    cr_assert_eq(sm_stats.degraded, 0);
}

Test(heap_mix, small_arena_and_the_c_library)
{
    start_heap_of(256 * SM_KIB);
    stress = (struct stress){.random = 6, .most = 100000};
    stress_run(&stress, 50000);
    stress_end(&stress);
    cr_assert_gt(sm_stats.spilled, 100);
    cr_assert_leq(sm_stats.mapped, 256 * SM_KIB);
}

Test(heap_mix, without_zero)
{
    start_heap_of(64 * SM_MIB);
    sm_settings.zero = 0;
    stress = (struct stress){.random = 7, .most = 50000};
    stress_run(&stress, 50000);
    stress_end(&stress);
    check_empty();
}

/* A second mix after all was freed finds room in what the first one left. */
Test(heap_mix, memory_is_reused)
{
    size_t mapped;

    start_heap_of(64 * SM_MIB);
    stress = (struct stress){.random = 8, .most = 50000};
    stress_run(&stress, 50000);
    stress_end(&stress);
    mapped = sm_arena.mapped;
    for (int round = 0; round < 4; round++) {
        stress_run(&stress, 50000);
        stress_end(&stress);
    }
    cr_assert_leq(sm_arena.mapped, mapped + mapped / 4);
}
