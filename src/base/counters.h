/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, written with relaxed atomics off the fast path and kept in ordinary memory.
 * `secretssl stat` finds the counters in the process's memory by their first 16 bytes. Counters
 * are only added at the end; any other change needs a new version.
 */
#ifndef SM_BASE_COUNTERS_H
#define SM_BASE_COUNTERS_H

#include "base/common.h"
#include "base/memory_kind.h"

#define SM_STATS_MAGIC     0x5453544154534d53ULL
#define SM_STATS_VERSION   2
#define SM_STATS_SHORTAGES 24 /* with room for more: part of the layout */
#define SM_STATS_LAPSES    64 /* likewise */

struct sm_stats {
    uint64_t magic;
    uint32_t version, size;
    uint64_t caches;       /* the first thread cache's address, 0: none */
    uint32_t cache_counts; /* offset in each cache of allocations, frees, live_bytes */
    uint32_t cache_next;   /* offset of the next cache's address */
    /* From here to the end: counters. Pages have 4 KiB; faults alone counts the kernel's. */
    uint64_t pages[SM_KINDS];        /* resident now, by enum sm_kind */
    uint64_t pages_peak;             /* of all kinds */
    uint64_t part_pages[SM_PARTS];   /* resident now */
    uint64_t mapped;                 /* bytes */
    uint64_t allocations, frees;     /* of ended threads and slow paths */
    int64_t live_bytes;              /* likewise; the reader adds the threads' own */
    uint64_t spilled, spilled_bytes; /* allocations that fell back to the C library, ever */
    uint64_t failed;                 /* allocations refused */
    uint64_t degraded;               /* pages that should be secret and are not, ever */
    uint64_t forks, fork_pages;      /* copies made in this process and their pages */
    uint64_t fork_failed;            /* children given up */
    uint64_t hooks;                  /* libcryptos hooked */
    uint64_t hooks_late;             /* libcryptos that could not be hooked */
    uint64_t unguarded;              /* large blocks without a guard page */
    uint64_t files_cached;           /* key files that stay in the kernel's page cache */
    uint64_t faults;                 /* pages made resident in this process, ever */
    uint64_t cap;                    /* bytes that may be mapped; 0: no arena yet */
    uint64_t messages_lost;          /* messages that could not be written anywhere */
    uint64_t threads_without_cache;  /* threads that found no cache available, ever */
    uint64_t uncached_pages;         /* resident secret pages in no cache of the CPU */
    uint64_t spilled_public;         /* spilled with REQUIRE=1: OpenSSL's error state */
    uint64_t shortages[SM_STATS_SHORTAGES]; /* occurrences by enum sm_shortage */
    uint64_t lapses[SM_STATS_LAPSES];       /* by enum sm_lapse */
    uint64_t spare_bytes;    /* mapped now for copies of children, living and to come */
    uint64_t forks_recycled; /* copies made in pages of a child that has ended */
    uint64_t returned_bytes; /* given back to the kernel, ever */
    uint64_t quarantined;    /* bytes of freed blocks that are held back now */
    uint64_t mlock_bytes;    /* of pages under memory that the program locked, now */
    uint64_t mlocks;         /* locks answered with secret pages, ever */
    uint64_t mlocks_left;    /* locks left to the kernel, ever */
    uint64_t toolkits;       /* other crypto libraries whose allocator was replaced */
    uint64_t sealing;        /* libcryptos whose private keys are sealed */
    uint64_t windows;        /* times that sealed memory was opened for a call of libcrypto */
    uint64_t window_ticks;   /* of the processor's clock, while sealed memory was open */
    uint64_t unlisted;       /* times that it was opened for a function that is not listed */
    uint64_t sealed_reads;   /* accesses to sealed memory by code outside libcrypto */
    uint64_t ticks_since, ns_since; /* both clocks when sealing began (CLOCK_MONOTONIC) */
    uint64_t forks_by_kernel;       /* copies made by the kernel */
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

/* Counts n pages that became resident (n negative: that are no longer resident). */
void sm_stats_pages(unsigned part, enum sm_kind kind, long n);

/* The same for pages of no partition. */
void sm_stats_kind(enum sm_kind kind, long n);

/* A forked child counts anew what it does itself. */
void sm_stats_of_child(void);

#endif
