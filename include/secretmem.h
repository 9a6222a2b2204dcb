/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file secretmem.h
 * Memory that the kernel, root, a debugger and a core dump cannot read: malloc on
 * memfd_secret(2).
 *
 * The first allocation reserves address space. Secret pages are added as they are needed, up to
 * ARENA_SIZE. Where secret memory is not available, blocks lie in locked memory excluded from
 * core dumps, then in unlocked memory excluded from core dumps. When the arena has no room, the
 * C library allocates. Each step is counted (secretmem_get_stats) and logged once, with its
 * reason. With REQUIRE=1 the allocation fails instead.
 *
 * After fork(2) parent and child each have their own blocks at the same addresses. A child made
 * by _Fork() or by the system call itself has no blocks and must exec or exit.
 *
 * Blocks are aligned to 16 bytes. A block is cleared when it is freed. Freeing a block twice,
 * or a pointer that was never allocated, ends the process with a message and SIGABRT.
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

/** Results of secretmem_configure(). Text: secretmem_strerror(). */
enum secretmem_error {
    SECRETMEM_OK = 0,
    SECRETMEM_E_NAME = -1,  /**< there is no such setting */
    SECRETMEM_E_VALUE = -2, /**< the setting does not take this value */
    SECRETMEM_E_LATE = -3   /**< memory was allocated already */
};

/** A reading of the counters of this process. Pages are pages of 4096 bytes. */
struct secretmem_stats {
    size_t size;             /**< of this struct as the library knows it, in bytes */
    uint64_t secret_bytes;   /**< present in secret memory */
    uint64_t locked_bytes;   /**< present in locked memory instead */
    uint64_t plain_bytes;    /**< present in memory that is neither secret nor locked */
    uint64_t peak_bytes;     /**< the most that was present, of all kinds */
    uint64_t mapped_bytes;   /**< mapped, present or not */
    uint64_t limit_bytes;    /**< ARENA_SIZE */
    uint64_t live_bytes;     /**< requested and not freed, without blocks of the C library */
    uint64_t allocations;    /**< ever */
    uint64_t frees;          /**< ever */
    uint64_t spilled;        /**< allocations that fell back to the C library, ever */
    uint64_t spilled_bytes;  /**< bytes of these allocations, ever */
    uint64_t failed;         /**< allocations that failed, ever */
    uint64_t degraded_pages; /**< pages that should be secret and are not, ever */
    uint64_t forks;          /**< children that got a copy of the blocks */
    uint64_t forks_failed;   /**< children that got no copy */
};

/**
 * Changes a setting of the process. Call it before the first allocation.
 * @param name   as the environment variable, with or without "SECRETSSL_": "ARENA_SIZE"
 * @param value  as the environment variable's: "64M"
 * @return SECRETMEM_OK or a negative enum secretmem_error; errno is not set
 *
 * The SECRETSSL_ variables of the environment are read first, except in set-id programs.
 * UNCACHED, ROUTE and PREFAULT concern OpenSSL's allocations and have no effect here. TRACE=1
 * loads libunwind at once, by dlopen(3). STATS and TRACE are written at exit(3).
 */
int secretmem_configure(const char *name, const char *value);

/** Returns the text of an enum secretmem_error, never NULL. Async-signal-safe. */
const char *secretmem_strerror(int error);

/**
 * As malloc(3). size is in bytes; size 0 gives a distinct block of 0 bytes. Returns NULL and
 * sets ENOMEM when there is no memory. The block is zeroed, unless ZERO=0.
 */
void *secretmem_malloc(size_t size);

/**
 * As calloc(3). Returns count times size zeroed bytes, or NULL with ENOMEM, also on overflow.
 */
void *secretmem_calloc(size_t count, size_t size);

/**
 * As realloc(3). p is NULL or a block of this library. Size 0 frees p and returns NULL. The old
 * place of a block that moves and the tail of a block that shrinks are cleared. Bytes gained
 * beyond secretmem_usable_size() are zeroed, unless ZERO=0.
 */
void *secretmem_realloc(void *p, size_t size);

/**
 * As aligned_alloc(3). alignment is in bytes. Returns NULL with EINVAL if alignment is not a
 * power of two, NULL with ENOMEM if there is no memory.
 */
void *secretmem_aligned_alloc(size_t alignment, size_t size);

/** As free(3). p is NULL or a block of this library. Keeps errno. */
void secretmem_free(void *p);

/** Returns the usable bytes of a block, at least those requested; 0 for NULL. */
size_t secretmem_usable_size(const void *p);

/**
 * Returns 1 if the address p lies in secret memory now. Returns 0 for foreign addresses and for
 * blocks that had to be placed in other memory. Async-signal-safe.
 */
int secretmem_contains(const void *p);

/**
 * Reads the counters.
 * @param stats  receives the counters
 * @param size   sizeof(struct secretmem_stats) as the caller knows it; no more is written
 */
void secretmem_get_stats(struct secretmem_stats *stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
