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
 * A program may have arenas of its own beside the heap, with a cap each; sealed ones are
 * accessible only between secretmem_begin() and secretmem_end(). secretmem_free() and the other
 * functions for blocks take blocks of arenas, too.
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

/** An arena of the program's own. */
typedef struct secretmem_arena secretmem_arena;

/** Secret memory or failure: no other memory instead, as REQUIRE=1 does for the process. */
#define SECRETMEM_ARENA_REQUIRE 1U
/** Children of fork(2) do not get the arena: an access there is SIGSEGV. */
#define SECRETMEM_ARENA_FORK_DENY 2U
/** No access but between secretmem_begin() and secretmem_end(). */
#define SECRETMEM_ARENA_SEALED 4U

/** How access to a sealed arena is given: seal of struct secretmem_arena_stats. */
enum secretmem_seal {
    SECRETMEM_NOT_SEALED = 0,
    SECRETMEM_SEALED_BY_MPROTECT = 1, /**< to all threads together */
    SECRETMEM_SEALED_BY_KEY = 2       /**< to the thread that begins: pkeys(7) */
};

/** The state of an arena. */
struct secretmem_arena_stats {
    size_t size;             /**< of this struct as the library knows it, in bytes */
    uint64_t capacity_bytes; /**< size, in whole pages */
    uint64_t used_bytes;     /**< in blocks, with 8 to 23 bytes more for each than requested */
    uint64_t blocks;         /**< not freed */
    uint32_t opened;         /**< secretmem_begin() without secretmem_end(), of all threads */
    uint32_t secret;         /**< 1: secret memory; 0: other memory, or a child without it */
    uint32_t seal;           /**< enum secretmem_seal */
    uint32_t reserved;       /**< 0 */
};

/**
 * Makes an arena: memory apart from the heap's, between inaccessible pages. All of it is mapped
 * and resident at once, and does not count towards ARENA_SIZE, so that no later allocation
 * fails for lack of memory of the machine.
 * @param size  bytes, 1 to 1 TiB, rounded up to whole pages: the cap of the arena. A block of n
 *              bytes takes n + 8 bytes, rounded up to 16
 * @param flags  SECRETMEM_ARENA_… or 0
 * @return the arena, or NULL with errno: EINVAL size or a flag is wrong; ENOMEM no memory, or
 *         RLIMIT_MEMLOCK is reached; ENOSPC the process has 256 arenas and mapped descriptors;
 *         EBUSY called in a fork by a handler that was registered before this library; ENOSYS,
 *         EPERM and others as of memfd_secret(2), if secret memory is required
 *
 * Without SECRETMEM_ARENA_REQUIRE and REQUIRE=1 the arena may lie in locked or unlocked memory;
 * secretmem_arena_get_stats() tells. A child of fork(2) gets a copy of the arena at the same
 * address, unless FORK=deny, and of a sealed one as much access as the thread that forked had.
 */
secretmem_arena *secretmem_arena_create(size_t size, unsigned flags);

/**
 * Clears and unmaps an arena with all its blocks. arena may be NULL.
 * @return 0, or -1 with errno: EINVAL this is no arena; EBUSY a thread has not ended its
 *         access, or called in a fork by a handler that was registered before this library;
 *         EPERM access cannot be given (sealed)
 *
 * No thread may use the arena or its blocks any more.
 */
int secretmem_arena_destroy(secretmem_arena *arena);

/**
 * As secretmem_malloc(), from an arena. The block is zeroed, whatever ZERO says. Also works in
 * a sealed arena without access.
 * @return the block, or NULL with errno: ENOMEM the arena has no room; EINVAL this is no arena;
 *         EACCES this child of fork(2) does not have the arena; EPERM, ENOMEM access cannot be
 *         given (sealed)
 *
 * An allocation searches the arena for room: for some thousand blocks, not for millions.
 */
void *secretmem_arena_malloc(secretmem_arena *arena, size_t size);

/**
 * Reads the state of an arena. size is sizeof(struct secretmem_arena_stats) as the caller knows
 * it; no more is written. Returns 0, or -1 with EINVAL if this is no arena.
 */
int secretmem_arena_get_stats(const secretmem_arena *arena, struct secretmem_arena_stats *stats,
                              size_t size);

/**
 * Gives access to a sealed arena. Calls nest, up to 255 deep in a thread; each needs a
 * secretmem_end() by the same thread.
 * @return 0, or -1 with errno: EINVAL no arena, or not sealed; EACCES this child of fork(2)
 *         does not have the arena; EOVERFLOW 255 calls deep; EPERM, ENOMEM mprotect(2) is
 *         refused
 *
 * With protection keys (seal of struct secretmem_arena_stats) only the calling thread gets
 * access, and threads that it creates before it ends the access, which keep it; system calls of
 * the thread have the same access. Signal handlers have none. Otherwise all threads of the
 * process have access while one has.
 */
int secretmem_begin(secretmem_arena *arena);

/**
 * Ends an access. The arena is inaccessible again when each secretmem_begin() is ended.
 * @return 0, or -1 with errno: EINVAL, EACCES as secretmem_begin(); EPERM this thread has no
 *         access to end, or mprotect(2) is refused; ENOMEM mprotect(2) fails. On failure the
 *         access goes on
 */
int secretmem_end(secretmem_arena *arena);

/** Results of secretmem_read_file(). */
enum secretmem_file {
    SECRETMEM_FILE_DROPPED = 0, /**< the kernel has no copy of the file in its page cache */
    SECRETMEM_FILE_CACHED = 1, /**< it has one still: tmpfs, or another process maps the file */
    SECRETMEM_FILE_UNKNOWN =
        2 /**< the kernel does not tell: not the file's owner, or a filter */
};

/**
 * Reads a regular file into secret memory, with no copy of it in other memory of the process,
 * and drops the kernel's copy (page cache).
 * @param arena  where the block is allocated; NULL: in the heap
 * @param path  the file's name
 * @param most  bytes that are accepted; a longer file is refused before it is read
 * @param block  receives the block, with a zero byte behind the contents
 * @param size  receives the number of bytes read
 * @return an enum secretmem_file: the file was read, and what became of the kernel's copy; or
 *         -1 with errno, and neither *block nor *size is changed: EINVAL no regular file, or no
 *         arena; EFBIG longer than most; ENOMEM no room; others as of open(2), read(2),
 *         secretmem_begin()
 *
 * Whoever must not leave the file in memory treats any result but SECRETMEM_FILE_DROPPED as a
 * failure, and frees the block. Pages that the kernel drops are not cleared before they are
 * used again, unless it was booted with init_on_free=1.
 */
int secretmem_read_file(secretmem_arena *arena, const char *path, size_t most, void **block,
                        size_t *size);

/**
 * Makes secret memory for other processes: a descriptor, close-on-exec, not mapped in this
 * process. size is in bytes, 1 to 1 TiB, and cannot change. Close it by close(2); the memory is
 * freed when no process has the descriptor or a mapping. Close it soon:
 * root can take an open descriptor (pidfd_getfd(2)) and map it, and a mapping it cannot.
 * @return the descriptor, or -1 with errno: EINVAL size; EFBIG RLIMIT_FSIZE; EPERM a filter
 *         forbids it; others as of memfd_secret(2)
 */
int secretmem_fd_create(size_t size);

/**
 * Maps secret memory that a descriptor is. Every process that maps it reads and writes the same
 * bytes: copy what another process may still change before checking it. Children of fork(2) do
 * not get the mapping: an access there is SIGSEGV.
 * @param size  receives the size in bytes; may be NULL
 * @return the memory, all of it resident, or NULL with errno: EBADF, EINVAL no secret memory
 *         (of at least a byte); ENOMEM no address space, or RLIMIT_MEMLOCK is reached; ENOSPC,
 *         EBUSY as secretmem_arena_create(); EPERM a filter forbids it
 *
 * The descriptor may be closed afterwards. secretmem_free() of the memory ends the process.
 */
void *secretmem_fd_map(int fd, size_t *size);

/**
 * Unmaps what secretmem_fd_map() returned. Nothing is cleared, because others may have it
 * mapped. p may be NULL. Returns 0, or -1 with errno: EINVAL p is no such memory; EBUSY called
 * by a handler of pthread_atfork(3).
 */
int secretmem_fd_unmap(void *p);

/**
 * Sends a descriptor of secret memory over a Unix socket, with one byte (SCM_RIGHTS). The
 * memory need not be mapped here.
 * @return 0, or -1 with errno: EINVAL fd is no secret memory, and nothing was sent; others as
 *         of sendmsg(2)
 */
int secretmem_fd_send(int socket, int fd);

/**
 * Receives a descriptor of secret memory, which is close-on-exec and not mapped here.
 * @return the descriptor, or -1 with errno: EINVAL the peer sent a descriptor of something
 *         else, which is closed; EPROTO the peer sent no descriptor, or several, which are
 *         closed; ECONNRESET the peer closed the socket; others as of recvmsg(2)
 */
int secretmem_fd_receive(int socket);

/** A function of the program that secretmem_on_wipe() sets. */
typedef void secretmem_wipe_function(void *address, void *arg);

/**
 * Sets what happens when a thread touches secret memory that a hibernation of the machine left
 * out of its image: kernels with this project's patches can, if the administrator chooses that
 * (secretmem.hibernate=wipe). After the resume each touch of such memory is SIGBUS, and system
 * calls that are given it fail with EFAULT. On the first call the library installs a handler of
 * SIGBUS, for the memory of secretmem_malloc(), of arenas and of mapped descriptors. All else
 * goes to the handler that the program had before, or ends the process. A handler that the
 * program installs later replaces the library's.
 * @param function  is called in the handler, on the thread that touched the memory, with the
 *                  address and arg, as often as that happens, and by several threads at once.
 *                  All signals are blocked. Only async-signal-safe functions may be used, of
 *                  this library those that say so. If it returns, the library writes a line,
 *                  and SIGBUS ends the process. It may also call execve(2) or _exit(2); or
 *                  siglongjmp(3), if the memory was touched by code of the program's own: a
 *                  function of this library may hold locks. NULL: no function, only the line
 * @param arg  for function
 * @return 0, or -1 with errno: EOPNOTSUPP this kernel keeps secret memory or refuses to
 *         hibernate, so that function is never called; EPERM a filter forbids the handler;
 *         others as of sigaction(2)
 *
 * Of what was wiped, arenas can be destroyed and descriptors unmapped, and new ones made. The
 * heap of secretmem_malloc() cannot be used any more: execute the program again. fork(2)
 * touches what is wiped, because the child cannot have it. Without a call of this function
 * SIGBUS does what it does without this library.
 */
int secretmem_on_wipe(secretmem_wipe_function *function, void *arg);

/**
 * Returns 1 if secret memory of this process was wiped (secretmem_on_wipe()), and 0 if not:
 * looks at the heap, at arenas and at mapped descriptors, and touches nothing.
 * Async-signal-safe.
 * @return 1, 0, or -1 with errno: EACCES nothing is known to be wiped, but a sealed arena that
 *         has no protection key cannot be looked at unless this thread has begun an access;
 *         EPERM a filter forbids to ask
 */
int secretmem_wiped(void);

#ifdef __cplusplus
}
#endif

#endif
