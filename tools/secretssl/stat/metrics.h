/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a process, each with its name in JSON and as a metric. */
#ifndef SECRETSSL_STAT_METRICS_H
#define SECRETSSL_STAT_METRICS_H

#include <stdint.h>

#include "process/state.h"

enum figure_number {
    FIGURE_SECRET,
    FIGURE_LOCKED,
    FIGURE_PLAIN,
    FIGURE_ORDINARY,
    FIGURE_UNCACHED_BYTES,
    FIGURE_PEAK,
    FIGURE_MAPPED,
    FIGURE_LIMIT,
    FIGURE_KERNEL_SECRET,
    FIGURE_BLOCKS,
    FIGURE_LIVE,
    FIGURE_LIVE_BYTES,
    FIGURE_ALLOCATIONS,
    FIGURE_FREES,
    FIGURE_SPILLED,
    FIGURE_SPILLED_BYTES,
    FIGURE_FAILED,
    FIGURE_DEGRADED,
    FIGURE_FAULTS,
    FIGURE_FORKS,
    FIGURE_FORK_PAGES,
    FIGURE_FORKS_FAILED,
    FIGURE_HOOKS,
    FIGURE_HOOKS_FAILED,
    FIGURE_UNGUARDED,
    FIGURE_KEY_FILES_CACHED,
    FIGURE_MESSAGES_LOST,
    FIGURE_UNCACHED,
    FIGURES
};

struct figure {
    const char *json;
    const char *metric; /* without "secretssl_"; a counter's ends in "_total" */
    const char *help;
};

extern const struct figure figures[FIGURES];

/* The names of the partitions (enum sm_part), for bytes present. */
extern const char *const partition_names[SM_PARTS];

/*
 * Sets the values. Each is limited to the range of a signed 64-bit number, because the process
 * is not trusted.
 */
void figures_of(const struct process_state *process, uint64_t values[FIGURES]);
uint64_t figures_partition(const struct process_state *process, enum sm_part part);

#endif
