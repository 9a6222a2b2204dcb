/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads, from outside, the figures that libsecretssl and libsecretmem keep in a process's
 * ordinary memory. The reader does not trust the process: every address and length is checked,
 * and every walk ends.
 */
#ifndef SECRETSSL_PROCESS_COUNTERS_H
#define SECRETSSL_PROCESS_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/counters.h"
#include "process/maps.h"

enum { STATS_MOST = 8 };

struct process_stats {
    struct sm_stats sum; /* over all libraries in the process that keep figures */
    uint64_t allocations, frees;
    int64_t live_bytes;
    const struct mapping *found[STATS_MOST]; /* the mapping of each library's figures */
    size_t count;
    uint32_t other_version; /* a version that this program does not know; 0: none found */
    bool cut_short;         /* incomplete: a bound was met, or the process changed */
};

/* Reads the figures of a process. mem: /proc/PID/mem, open for reading. */
void stats_read(pid_t pid, int mem, const struct process_map *map, struct process_stats *stats);

#endif
