/* SPDX-License-Identifier: Apache-2.0 */
#include "stat/metrics.h"
#include "arena/size_class.h"

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
