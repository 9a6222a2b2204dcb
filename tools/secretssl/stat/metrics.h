/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a process, each with its name in JSON and as a metric. */
#ifndef SECRETSSL_STAT_METRICS_H
#define SECRETSSL_STAT_METRICS_H

#include <stdint.h>

#include "process/state.h"

/*
 * entry(NAME, name in JSON, name of the metric without "secretssl_", value, help). The name of
 * a counter's metric ends in "_total". The value is read in figures_of(), from the names there.
 */
/* clang-format off */
#define FIGURE_LIST(entry) \
    entry(SECRET, "secret_bytes", "secret_bytes", bytes(sum->pages[SM_KIND_SECRET]), \
          "Resident bytes of secret memory.") \
    entry(LOCKED, "locked_bytes", "locked_bytes", bytes(sum->pages[SM_KIND_LOCKED]), \
          "Resident bytes of locked, undumpable memory instead of secret memory.") \
    entry(PLAIN, "plain_bytes", "plain_bytes", bytes(sum->pages[SM_KIND_PLAIN]), \
          "Resident bytes of undumpable memory that may be swapped out.") \
    entry(ORDINARY, "ordinary_bytes", "ordinary_bytes", bytes(sum->pages[SM_KIND_ORDINARY]), \
          "Bytes that SECRETSSL_ROUTE keeps in ordinary memory.") \
    entry(UNCACHED_BYTES, "uncached_bytes", "uncached_bytes", bytes(sum->uncached_pages), \
          "Bytes of secret memory that no CPU caches.") \
    entry(PEAK, "peak_bytes", "peak_bytes", bytes(sum->pages_peak), \
          "Maximum of resident bytes at one time.") \
    entry(MAPPED, "mapped_bytes", "mapped_bytes", sum->mapped, \
          "Bytes mapped for the arena.") \
    entry(LIMIT, "limit_bytes", "limit_bytes", sum->cap, \
          "Maximum of bytes that may be mapped (SECRETSSL_ARENA_SIZE).") \
    entry(RETURNED, "returned_bytes", "returned_bytes_total", sum->returned_bytes, \
          "Bytes of free memory given back to the kernel.") \
    entry(KERNEL_SECRET, "kernel_secret_bytes", "kernel_secret_bytes", process->kernel_secret, \
          "Bytes of secret mappings according to the kernel.") \
    entry(BLOCKS, "block_bytes", "block_bytes", process->kernel_blocks, \
          "Bytes of secret mappings that a patched kernel maps as whole blocks.") \
    entry(LIVE, "live_allocations", "live_allocations", live > 0 ? (uint64_t)live : 0, \
          "Blocks in use.") \
    entry(LIVE_BYTES, "live_bytes", "live_bytes", stats->live_bytes > 0 ? (uint64_t)stats->live_bytes : 0, \
          "Requested bytes of blocks in use.") \
    entry(ALLOCATIONS, "allocations", "allocations_total", stats->allocations, \
          "Blocks allocated.") \
    entry(FREES, "frees", "frees_total", stats->frees, \
          "Blocks freed.") \
    entry(SPILLED, "spilled_allocations", "spilled_allocations_total", sum->spilled, \
          "Allocations that fell back to the C library, unprotected.") \
    entry(SPILLED_BYTES, "spilled_bytes", "spilled_bytes_total", sum->spilled_bytes, \
          "Bytes of allocations that fell back to the C library.") \
    entry(FAILED, "failed_allocations", "failed_allocations_total", sum->failed, \
          "Allocations that were refused.") \
    entry(DEGRADED, "degraded_pages", "degraded_pages_total", sum->degraded, \
          "Pages that were requested as secret memory and are not secret.") \
    entry(FAULTS, "faults", "faults_total", sum->faults, \
          "Pages made resident by a first touch.") \
    entry(FORKS, "forks", "forks_total", sum->forks, \
          "Forked children that got their copy.") \
    entry(FORK_PAGES, "fork_pages", "fork_pages", sum->fork_pages, \
          "Pages copied when this process began.") \
    entry(FORKS_FAILED, "forks_failed", "fork_failures_total", sum->fork_failed, \
          "Forked children that were abandoned.") \
    entry(FORK_RESERVE, "fork_reserve_bytes", "fork_reserve_bytes", sum->spare_bytes, \
          "Bytes mapped for copies of children, living and to come.") \
    entry(RECYCLED, "forks_recycled", "forks_recycled_total", sum->forks_recycled, \
          "Forked children whose copy was made in pages that an ended child had.") \
    entry(BY_KERNEL, "forks_by_kernel", "forks_by_kernel_total", sum->forks_by_kernel, \
          "Forked children whose copy the kernel makes.") \
    entry(QUARANTINED, "quarantined_bytes", "quarantined_bytes", sum->quarantined, \
          "Bytes of freed blocks that are held back.") \
    entry(MLOCK_BYTES, "mlock_bytes", "mlock_bytes", sum->mlock_bytes, \
          "Bytes of pages that libsecretssl has put under memory that the program locked.") \
    entry(MLOCKS, "mlocks", "mlocks_total", sum->mlocks, \
          "Locks of the program that were answered with secret memory.") \
    entry(MLOCKS_LEFT, "mlocks_left", "mlocks_left_total", sum->mlocks_left, \
          "Locks of the program that were left to the kernel.") \
    entry(TOOLKITS, "toolkits", "toolkits", sum->toolkits, \
          "Other crypto libraries whose allocator was replaced.") \
    entry(SEALING, "sealing", "sealing", sum->sealing, \
          "Copies of libcrypto whose private keys are sealed (SECRETSSL_SEAL).") \
    entry(WINDOWS, "seal_windows", "seal_windows_total", sum->windows, \
          "Calls of libcrypto for which sealed keys were opened.") \
    entry(SEAL_OPEN, "seal_open_microseconds", "seal_open_microseconds_total", open_microseconds(sum), \
          "Microseconds that sealed keys were open, of all threads.") \
    entry(UNLISTED, "seal_unlisted", "seal_unlisted_total", sum->unlisted, \
          "Times that sealed keys were opened for a function that is not listed.") \
    entry(SEALED_READS, "sealed_reads", "sealed_reads_total", sum->sealed_reads, \
          "Accesses to sealed keys by code outside libcrypto, which were stopped.") \
    entry(HOOKS, "hooks", "hooks", sum->hooks, \
          "Copies of libcrypto that are hooked.") \
    entry(HOOKS_FAILED, "hooks_failed", "hooks_failed", sum->hooks_late, \
          "Copies of libcrypto that could not be hooked.") \
    entry(UNGUARDED, "unguarded_blocks", "unguarded_blocks_total", sum->unguarded, \
          "Large blocks without a guard page.") \
    entry(KEY_FILES_CACHED, "key_files_cached", "key_files_cached_total", sum->files_cached, \
          "Key files that stayed in the kernel's page cache.") \
    entry(MESSAGES_LOST, "messages_lost", "messages_lost_total", sum->messages_lost, \
          "Messages that could not be written.") \
    entry(UNCACHED, "uncached_threads", "uncached_threads_total", sum->threads_without_cache, \
          "Threads that allocate without a cache of their own.")
/* clang-format on */

#define FIGURE_ENUM(name, json, metric, value, help) FIGURE_##name,
enum figure_number { FIGURE_LIST(FIGURE_ENUM) FIGURES };
#undef FIGURE_ENUM

struct figure {
    const char *json, *metric, *help;
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
