/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures that libsecretssl and libsecretmem keep in a process's ordinary memory, read from
 * outside. Nothing that is read is trusted: every address and length is checked, every walk
 * ends.
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
    struct sm_stats sum; /* of all libraries in the process that keep figures */
    uint64_t allocations, frees;
    int64_t live_bytes;
    const struct mapping *found[STATS_MOST]; /* where each of them lies */
    size_t count;
    uint32_t other_version; /* that this program does not know; 0: none met */
    bool cut_short;         /* there was more to look at than a process has, or it changed */
};

/* mem: /proc/PID/mem, open for reading. */
void stats_read(pid_t pid, int mem, const struct process_map *map, struct process_stats *stats);

#endif
