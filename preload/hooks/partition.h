/* SPDX-License-Identifier: Apache-2.0 */
/* Which partition an allocation belongs to, by the source file that asks for it. */
#ifndef PRELOAD_HOOKS_PARTITION_H
#define PRELOAD_HOOKS_PARTITION_H

#include "arena/arena.h"

/* Looks the file up in the lists. file may be NULL or "". */
unsigned partition_classify(const char *file);

/* What partition_classify says for a file that allocates octet keys and other things */
#define PARTITION_OCTETS     SM_PARTS
#define PARTITION_OCTETS_MAX 64 /* bytes of the largest octet key: Ed448 has 57 */

/*
 * What it says for a file without whose blocks OpenSSL cannot report an error (from 3.6 on it
 * calls itself until the stack ends): public, and the C library's where the arena has no room.
 */
#define PARTITION_NEEDED (SM_PARTS + 1)

/* A job's stack: it has no place in the arena (job_stack.h). */
#define PARTITION_STACK (SM_PARTS + 2)

/*
 * File pointer << 8 | answer, in one word, so that it is never torn; a pointer has 56 bits at
 * most. Sets of a cache line: the fast path looks at the first of a set only.
 */
#define PARTITION_WAYS 8
#define PARTITION_SETS 256

extern SM_LOCAL uint64_t partition_cache[PARTITION_SETS][PARTITION_WAYS];

static inline uint64_t *partition_set(uint64_t key)
{
    return partition_cache[(key ^ key >> 8) % PARTITION_SETS];
}

/* An answer of partition_classify(), or any number above those */
static inline uint64_t partition_fast(const char *file)
{
    uint64_t key = (uintptr_t)file;

    return __atomic_load_n(partition_set(key), __ATOMIC_RELAXED) ^ key << 8;
}

/* The partition, or PARTITION_STACK, whatever the cache says or does not say */
unsigned partition_for(const char *file, size_t size);

/* Whether a file is one of PARTITION_NEEDED. */
bool partition_needed(const char *file);

#endif
