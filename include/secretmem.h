/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file secretmem.h
 * Memory that the kernel, root, a debugger and a core dump cannot read: malloc on
 * memfd_secret(2).
 *
 * The first allocation reserves address space; secret pages come as they are needed, up to
 * ARENA_SIZE. Where there is no secret memory, blocks lie in locked memory that core dumps
 * leave out, then in unlocked such memory, then, when the arena has no room, with the C
 * library: each step is counted (secretmem_get_stats) and logged once, with its reason. With
 * REQUIRE=1 allocation fails instead.
 *
 * After fork(2) parent and child each have their own blocks at the same addresses. A child
 * made by _Fork() or by the system call itself has none and must exec or exit.
 *
 * Blocks are aligned to 16 bytes. A block is cleared when it is freed. Freeing twice, or
 * what was never allocated, ends the process with a message and SIGABRT.
 *
 * Unless a function says otherwise: thread-safe, not async-signal-safe, since 0.1.
 */
#ifndef SECRETMEM_H
#define SECRETMEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SECRETMEM_VERSION_MAJOR 0
#define SECRETMEM_VERSION_MINOR 1

/** What secretmem_configure() answers. Text: secretmem_strerror(). */
enum secretmem_error {
    SECRETMEM_OK = 0,
    SECRETMEM_E_NAME = -1,  /**< there is no such setting */
    SECRETMEM_E_VALUE = -2, /**< the setting does not take this value */
    SECRETMEM_E_LATE = -3   /**< memory was allocated already */
};

/** A reading of the counters of this process; in pages of 4096 bytes where it says pages. */
struct secretmem_stats {
    size_t size;             /**< of this struct as the library knows it, in bytes */
    uint64_t secret_bytes;   /**< present in secret memory */
    uint64_t locked_bytes;   /**< present in locked memory instead */
    uint64_t plain_bytes;    /**< present in memory that is neither */
    uint64_t peak_bytes;     /**< the most that was present, of all kinds */
    uint64_t mapped_bytes;   /**< mapped, present or not */
    uint64_t limit_bytes;    /**< ARENA_SIZE */
    uint64_t live_bytes;     /**< asked for and not freed, those at the C library excepted */
    uint64_t allocations;    /**< ever */
    uint64_t frees;          /**< ever */
    uint64_t spilled;        /**< allocations that went to the C library, ever */
    uint64_t spilled_bytes;  /**< their bytes, ever */
    uint64_t failed;         /**< allocations that failed, ever */
    uint64_t degraded_pages; /**< pages that were to be secret and are not, ever */
    uint64_t forks;          /**< children that got their copy */
    uint64_t forks_failed;   /**< children that did not */
};

/**
 * Changes a setting of the process; before the first allocation.
 * @param name   as the environment variable, with or without "SECRETSSL_": "ARENA_SIZE"
 * @param value  as the environment variable's: "64M"
 * @return SECRETMEM_OK or a negative enum secretmem_error; errno is not set
 *
 * The environment's SECRETSSL_ variables are read first, except in set-id programs.
 * UNCACHED, ROUTE and PREFAULT concern OpenSSL's allocations and do nothing here. TRACE=1 loads
 * libunwind at once, by dlopen(3). STATS and TRACE are written out at exit(3).
 */
int secretmem_configure(const char *name, const char *value);

/** The text of an enum secretmem_error. Async-signal-safe. Never NULL. */
const char *secretmem_strerror(int error);

/**
 * As malloc(3). size in bytes; 0 gives a block of its own, of no bytes. NULL and ENOMEM if
 * there is none. The block is zero, unless ZERO=0.
 */
void *secretmem_malloc(size_t size);

/** As calloc(3): count times size bytes, zero. NULL and ENOMEM, also on overflow. */
void *secretmem_calloc(size_t count, size_t size);

/**
 * As realloc(3). p is NULL or a block of this library. Size 0 frees p and returns NULL.
 * What the block leaves behind when it moves or shrinks is cleared, and what it gains beyond
 * secretmem_usable_size() is zero, unless ZERO=0.
 */
void *secretmem_realloc(void *p, size_t size);

/**
 * As aligned_alloc(3). alignment: a power of two, in bytes; NULL and EINVAL if it is none,
 * NULL and ENOMEM if there is no memory.
 */
void *secretmem_aligned_alloc(size_t alignment, size_t size);

/** As free(3). p is NULL or a block of this library. Keeps errno. */
void secretmem_free(void *p);

/** Bytes of a block that may be used: at least those asked for. 0 for NULL. */
size_t secretmem_usable_size(const void *p);

/**
 * Whether this address, of any kind, lies in secret memory now: 1, or 0 for foreign
 * addresses and for blocks that had to be placed elsewhere. Async-signal-safe.
 */
int secretmem_contains(const void *p);

/**
 * Reads the counters.
 * @param stats  where to
 * @param size   sizeof(struct secretmem_stats) as the caller knows it; no more is written
 */
void secretmem_get_stats(struct secretmem_stats *stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
