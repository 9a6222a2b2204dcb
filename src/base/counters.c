/* SPDX-License-Identifier: Apache-2.0 */
#include "base/counters.h"

struct sm_stats sm_stats = {
    .magic = SM_STATS_MAGIC,
    .version = SM_STATS_VERSION,
    .size = sizeof(struct sm_stats),
};

void sm_stats_pages(unsigned part, enum sm_kind kind, long n)
{
    sm_count(&sm_stats.part_pages[part], (uint64_t)n);
    sm_stats_kind(kind, n);
}

void sm_stats_kind(enum sm_kind kind, long n)
{
    uint64_t now = 0, peak = sm_counted(&sm_stats.pages_peak);

    sm_count(&sm_stats.pages[kind], (uint64_t)n);
    for (int k = 0; k < SM_KINDS; k++)
        now += sm_counted(&sm_stats.pages[k]);
    while (now > peak && !__atomic_compare_exchange_n(&sm_stats.pages_peak, &peak, now, false,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void sm_stats_of_child(void)
{
    sm_stats.forks = sm_stats.forks_by_kernel = 0;
    sm_stats.fork_pages = sm_stats.fork_failed = 0;
    sm_stats.faults = sm_stats.returned_bytes = 0;
    sm_stats.windows = sm_stats.window_ticks = 0;
    sm_stats.unlisted = sm_stats.sealed_reads = 0;
}
