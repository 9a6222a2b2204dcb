/* SPDX-License-Identifier: Apache-2.0 */
/* The partition of an allocation, chosen by the source file that requests it. */
#ifndef PRELOAD_HOOKS_PARTITION_H
#define PRELOAD_HOOKS_PARTITION_H

#include "arena/arena.h"

/* Looks the file up in the lists. file may be NULL or "". */
unsigned partition_classify(const char *file);

extern SM_LOCAL bool partition_nameless; /* a libcrypto without file names was seen */

/*
 * Called when a libcrypto turns out to name no files. No block of it is in the partition of key
 * bytes, so that a promise about key bytes cannot be kept: ends the process, or reports it.
 */
void partition_unnamed(void);

/* The answer for a file that allocates octet keys and other blocks */
#define PARTITION_OCTETS     SM_PARTS
#define PARTITION_OCTETS_MAX 64 /* bytes of the largest octet key: Ed448 has 57 */

/*
 * The answer for a file whose blocks OpenSSL needs to report an error (without them OpenSSL
 * recurses until the stack ends, from 3.6 on). The blocks belong to the public partition,
 * and fall back to the C library when the arena has no room.
 */
#define PARTITION_NEEDED (SM_PARTS + 1)

/*
 * The answer for a file that allocates the bytes of private keys, while keys are sealed: they
 * belong to the sealed partition if it is open in this thread, that is, in libcrypto's work on
 * keys; elsewhere the same files allocate public numbers.
 */
#define PARTITION_SEALED (SM_PARTS + 3)

/* A rule for such a file that allocates objects with reference counts too; no answer. */
#define PARTITION_COUNTED (SM_PARTS + 4)

/* The answer for the stack of a job, which has no place in the arena (job_stack.h). */
#define PARTITION_STACK (SM_PARTS + 2)

/*
 * File pointer << 8 | answer, in one word, so that no entry is torn; a pointer has at most 56
 * bits. Each set is a cache line. The fast path looks at the first entry of a set only.
 */
#define PARTITION_WAYS 8
#define PARTITION_SETS 256

extern SM_LOCAL uint64_t partition_cache[PARTITION_SETS][PARTITION_WAYS];

static inline uint64_t *partition_set(uint64_t key)
{
    return partition_cache[(key ^ key >> 8) % PARTITION_SETS];
}

/* Returns the cached answer of partition_classify(), or a larger number on a miss. */
static inline uint64_t partition_fast(const char *file)
{
    uint64_t key = (uintptr_t)file;

    return __atomic_load_n(partition_set(key), __ATOMIC_RELAXED) ^ key << 8;
}

/* Returns the partition, or PARTITION_STACK. Looks the file up on a cache miss. */
unsigned partition_for(const char *file, size_t size);

/* Returns true if the answer for the file is PARTITION_NEEDED. */
bool partition_needed(const char *file);

#endif
