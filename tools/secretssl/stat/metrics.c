/* SPDX-License-Identifier: Apache-2.0 */
#include "stat/metrics.h"
#include "arena/size_class.h"
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

const struct figure figures[FIGURES] = {
#define FIGURE_ROW(name, json, metric, value, help) {json, metric, help},
    FIGURE_LIST(FIGURE_ROW)
#undef FIGURE_ROW
};

const char *const partition_names[SM_PARTS] = {
    [SM_PART_BYTES] = "bytes",
    [SM_PART_KEY] = "keys",
    [SM_PART_IO] = "records",
    [SM_PART_PUBLIC] = "public",
};

static uint64_t bytes(uint64_t pages)
{
    return pages > INT64_MAX / SM_PAGE ? INT64_MAX : pages * SM_PAGE;
}

/*
 * The process counts by the processor's clock, and noted that clock and CLOCK_MONOTONIC when it
 * began. Now both clocks have gone on.
 */
static uint64_t open_microseconds(const struct sm_stats *sum)
{
#if defined(__x86_64__)
    struct timespec now = {0};
    double ticks, ns;

    if (sum->window_ticks == 0 || clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    ns = (double)now.tv_sec * 1e9 + (double)now.tv_nsec - (double)sum->ns_since;
    ticks = (double)(__rdtsc() - sum->ticks_since);
    if (ns <= 0 || ticks <= 0 || (double)sum->window_ticks > ticks * 1e6)
        return 0;
    return (uint64_t)((double)sum->window_ticks * ns / ticks / 1000);
#else
    (void)sum;
    return 0;
#endif
}

uint64_t figures_partition(const struct process_state *process, enum sm_part part)
{
    return bytes(process->stats.sum.part_pages[part]);
}

void figures_of(const struct process_state *process, uint64_t values[FIGURES])
{
    const struct process_stats *stats = &process->stats;
    const struct sm_stats *sum = &stats->sum;
    /* Threads change the counts during the reading, so the difference may be below 0. */
    int64_t live = (int64_t)(stats->allocations - stats->frees);
    const uint64_t found[FIGURES] = {
#define FIGURE_VALUE(name, json, metric, value, help) value,
        FIGURE_LIST(FIGURE_VALUE)
#undef FIGURE_VALUE
    };

    for (int i = 0; i < FIGURES; i++)
        values[i] = found[i] > INT64_MAX ? INT64_MAX : found[i];
}
