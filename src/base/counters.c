/* SPDX-License-Identifier: Apache-2.0 */
#include "base/counters.h"
#include "heap/thread_cache.h"
#include "log/log.h"

struct sm_stats sm_stats = {
    .magic = SM_STATS_MAGIC,
    .version = SM_STATS_VERSION,
    .size = sizeof(struct sm_stats),
    .cache_counts = offsetof(struct sm_thread_cache, allocations),
    .cache_next = offsetof(struct sm_thread_cache, next),
};

_Static_assert(offsetof(struct sm_thread_cache, frees) ==
                       offsetof(struct sm_thread_cache, allocations) + 8 &&
                   offsetof(struct sm_thread_cache, live_bytes) ==
                       offsetof(struct sm_thread_cache, allocations) + 16,
               "read from outside as three numbers in a row");

void sm_stats_pages(unsigned part, enum sm_kind kind, long n)
{
    uint64_t now = 0, peak = sm_counted(&sm_stats.pages_peak);

    sm_count(&sm_stats.pages[kind], (uint64_t)n);
    sm_count(&sm_stats.part_pages[part], (uint64_t)n);
    for (int k = 0; k < 5; k++)
        now += sm_counted(&sm_stats.pages[k]);
    while (now > peak && !__atomic_compare_exchange_n(&sm_stats.pages_peak, &peak, now, false,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void sm_stats_print(void)
{
    uint64_t allocations, frees;
    int64_t live;

    sm_thread_caches_sum(&allocations, &frees, &live);
    sm_report(
        "summary: %zu KiB secret, %zu KiB locked, %zu KiB plain, %zu KiB ordinary, peak "
        "%zu KiB; %zu allocations, %zu bytes live; %zu to the C library, %zu failed, "
        "%zu pages degraded; %zu forks copied, %zu failed; %zu libcrypto hooked; %zu messages "
        "lost",
        (size_t)sm_stats.pages[SM_KIND_SECRET] * 4, (size_t)sm_stats.pages[SM_KIND_LOCKED] * 4,
        (size_t)sm_stats.pages[SM_KIND_PLAIN] * 4, (size_t)sm_stats.pages[SM_KIND_ORDINARY] * 4,
        (size_t)sm_stats.pages_peak * 4, (size_t)allocations, (size_t)live,
        (size_t)sm_stats.spilled, (size_t)sm_stats.failed, (size_t)sm_stats.degraded,
        (size_t)sm_stats.forks, (size_t)sm_stats.fork_failed, (size_t)sm_stats.hooks,
        (size_t)sm_counted(&sm_stats.messages_lost));
}
