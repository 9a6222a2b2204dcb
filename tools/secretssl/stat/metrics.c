/* SPDX-License-Identifier: Apache-2.0 */
#include "stat/metrics.h"
#include "arena/arena.h"

const struct figure figures[FIGURES] = {
    [FIGURE_SECRET] = {"secret_bytes", "secret_bytes", "Resident bytes of secret memory."},
    [FIGURE_LOCKED] = {"locked_bytes", "locked_bytes",
                       "Resident bytes of locked, undumpable memory instead of secret memory."},
    [FIGURE_PLAIN] = {"plain_bytes", "plain_bytes",
                      "Resident bytes of undumpable memory that may be swapped out."},
    [FIGURE_ORDINARY] = {"ordinary_bytes", "ordinary_bytes",
                         "Bytes that SECRETSSL_ROUTE keeps in ordinary memory."},
    [FIGURE_UNCACHED_BYTES] = {"uncached_bytes", "uncached_bytes",
                               "Bytes of secret memory that no CPU caches."},
    [FIGURE_PEAK] = {"peak_bytes", "peak_bytes", "Maximum of resident bytes at one time."},
    [FIGURE_MAPPED] = {"mapped_bytes", "mapped_bytes", "Bytes mapped for the arena."},
    [FIGURE_LIMIT] = {"limit_bytes", "limit_bytes",
                      "Maximum of bytes that may be mapped (SECRETSSL_ARENA_SIZE)."},
    [FIGURE_KERNEL_SECRET] = {"kernel_secret_bytes", "kernel_secret_bytes",
                              "Bytes of secret mappings according to the kernel."},
    [FIGURE_BLOCKS] = {"block_bytes", "block_bytes",
                       "Bytes of secret mappings that a patched kernel maps as whole blocks."},
    [FIGURE_LIVE] = {"live_allocations", "live_allocations", "Blocks in use."},
    [FIGURE_LIVE_BYTES] = {"live_bytes", "live_bytes", "Requested bytes of blocks in use."},
    [FIGURE_ALLOCATIONS] = {"allocations", "allocations_total", "Blocks allocated."},
    [FIGURE_FREES] = {"frees", "frees_total", "Blocks freed."},
    [FIGURE_SPILLED] = {"spilled_allocations", "spilled_allocations_total",
                        "Allocations that fell back to the C library, unprotected."},
    [FIGURE_SPILLED_BYTES] = {"spilled_bytes", "spilled_bytes_total",
                              "Bytes of allocations that fell back to the C library."},
    [FIGURE_FAILED] = {"failed_allocations", "failed_allocations_total",
                       "Allocations that were refused."},
    [FIGURE_DEGRADED] = {"degraded_pages", "degraded_pages_total",
                         "Pages that were requested as secret memory and are not secret."},
    [FIGURE_FAULTS] = {"faults", "faults_total", "Pages made resident by a first touch."},
    [FIGURE_FORKS] = {"forks", "forks_total", "Forked children that got their copy."},
    [FIGURE_FORK_PAGES] = {"fork_pages", "fork_pages", "Pages copied when this process began."},
    [FIGURE_FORKS_FAILED] = {"forks_failed", "fork_failures_total",
                             "Forked children that were abandoned."},
    [FIGURE_HOOKS] = {"hooks", "hooks", "Copies of libcrypto that are hooked."},
    [FIGURE_HOOKS_FAILED] = {"hooks_failed", "hooks_failed",
                             "Copies of libcrypto that could not be hooked."},
    [FIGURE_UNGUARDED] = {"unguarded_blocks", "unguarded_blocks_total",
                          "Large blocks without a guard page."},
    [FIGURE_KEY_FILES_CACHED] = {"key_files_cached", "key_files_cached_total",
                                 "Key files that stayed in the kernel's page cache."},
    [FIGURE_MESSAGES_LOST] = {"messages_lost", "messages_lost_total",
                              "Messages that could not be written."},
    [FIGURE_UNCACHED] = {"uncached_threads", "uncached_threads_total",
                         "Threads that allocate without a cache of their own."},
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
        [FIGURE_SECRET] = bytes(sum->pages[SM_KIND_SECRET]),
        [FIGURE_LOCKED] = bytes(sum->pages[SM_KIND_LOCKED]),
        [FIGURE_PLAIN] = bytes(sum->pages[SM_KIND_PLAIN]),
        [FIGURE_ORDINARY] = bytes(sum->pages[SM_KIND_ORDINARY]),
        [FIGURE_UNCACHED_BYTES] = bytes(sum->uncached_pages),
        [FIGURE_PEAK] = bytes(sum->pages_peak),
        [FIGURE_MAPPED] = sum->mapped,
        [FIGURE_LIMIT] = sum->cap,
        [FIGURE_KERNEL_SECRET] = process->kernel_secret,
        [FIGURE_BLOCKS] = process->kernel_blocks,
        [FIGURE_LIVE] = live > 0 ? (uint64_t)live : 0,
        [FIGURE_LIVE_BYTES] = stats->live_bytes > 0 ? (uint64_t)stats->live_bytes : 0,
        [FIGURE_ALLOCATIONS] = stats->allocations,
        [FIGURE_FREES] = stats->frees,
        [FIGURE_SPILLED] = sum->spilled,
        [FIGURE_SPILLED_BYTES] = sum->spilled_bytes,
        [FIGURE_FAILED] = sum->failed,
        [FIGURE_DEGRADED] = sum->degraded,
        [FIGURE_FAULTS] = sum->faults,
        [FIGURE_FORKS] = sum->forks,
        [FIGURE_FORK_PAGES] = sum->fork_pages,
        [FIGURE_FORKS_FAILED] = sum->fork_failed,
        [FIGURE_HOOKS] = sum->hooks,
        [FIGURE_HOOKS_FAILED] = sum->hooks_late,
        [FIGURE_UNGUARDED] = sum->unguarded,
        [FIGURE_KEY_FILES_CACHED] = sum->files_cached,
        [FIGURE_MESSAGES_LOST] = sum->messages_lost,
        [FIGURE_UNCACHED] = sum->threads_without_cache,
    };

    for (int i = 0; i < FIGURES; i++)
        values[i] = found[i] > INT64_MAX ? INT64_MAX : found[i];
}
