/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters. Written with relaxed atomics off the fast path, and in ordinary memory: `secretssl
 * stat` finds them in the process's memory by their first 16 bytes. Counters are only added
 * at the end; anything else is a new version.
 */
#ifndef SM_BASE_COUNTERS_H
#define SM_BASE_COUNTERS_H

#include "base/common.h"
#include "base/memory_kind.h"

#define SM_STATS_MAGIC     0x5453544154534d53ULL
#define SM_STATS_VERSION   2
#define SM_STATS_SHORTAGES 24 /* with room for more: their number is part of the layout */
#define SM_STATS_LAPSES    32 /* likewise */

struct sm_stats {
    uint64_t magic;
    uint32_t version, size;
    uint64_t caches;       /* the first thread cache's address, 0: none */
    uint32_t cache_counts; /* where in each are allocations, frees, live_bytes */
    uint32_t cache_next;   /* and the address of the next one */
    /* From here on counters, to the end */
    uint64_t pages[SM_KINDS];        /* present now, by enum sm_kind */
    uint64_t pages_peak;             /* of all kinds */
    uint64_t part_pages[SM_PARTS];   /* present now */
    uint64_t mapped;                 /* bytes */
    uint64_t allocations, frees;     /* of threads that ended, and of slow paths */
    int64_t live_bytes;              /* likewise; the threads' own are added on reading */
    uint64_t spilled, spilled_bytes; /* allocations that the C library got, ever */
    uint64_t failed;                 /* allocations refused */
    uint64_t degraded;               /* pages that were to be secret and are not, ever */
    uint64_t forks, fork_pages;      /* copies made in this process and their pages */
    uint64_t fork_failed;            /* children given up */
    uint64_t hooks;                  /* libcryptos hooked */
    uint64_t hooks_late;             /* that could not be */
    uint64_t unguarded;              /* large blocks that got no guard page */
    uint64_t files_cached;           /* key files that stay in the kernel's page cache */
    uint64_t faults;                 /* pages made present in this process, ever */
    uint64_t cap;                    /* bytes that may be mapped; 0: no arena yet */
    uint64_t messages_lost;          /* that could be written nowhere */
    uint64_t threads_without_cache;  /* threads that found no caches are to be had, ever */
    uint64_t uncached_pages; /* of those present: secret, and in no cache of the CPU's */
    uint64_t spilled_public; /* of those, though REQUIRE=1: OpenSSL's error state */
    uint64_t shortages[SM_STATS_SHORTAGES]; /* by enum sm_shortage: how often it came to it */
    uint64_t lapses[SM_STATS_LAPSES];       /* by enum sm_lapse */
};

extern SM_LOCAL struct sm_stats sm_stats;

static inline void sm_count(uint64_t *counter, uint64_t n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline uint64_t sm_counted(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* A page became present (or, n negative, is no longer). */
void sm_stats_pages(unsigned part, enum sm_kind kind, long n);

#endif
