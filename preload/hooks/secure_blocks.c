/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/secure_blocks.h"
#include "arena/arena.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "os/pages.h"
#include <string.h>

uint64_t *secure_bits;
bool secure_frees;
static int64_t used; /* bytes */
static size_t least = SM_GRANULE;

static uint64_t *word_of(const void *p)
{
    return &secure_bits[sm_offset(p) / SM_GRANULE / 64];
}

static uint64_t bit_of(const void *p)
{
    return 1ULL << (sm_offset(p) / SM_GRANULE % 64);
}

/* The table needs an arena, because the extent of the arena sets the size of the table. */
bool secure_bits_make(void)
{
    void *probe = sm_malloc(1, SM_PART_KEY);
    bool good = probe && sm_arena_owns(probe);

    if (good && !secure_bits) {
        uint64_t *table = sm_pages_hidden(sm_arena.span / SM_GRANULE / 8, false);
        __atomic_store_n(&secure_bits, table, __ATOMIC_RELEASE);
        good = table != NULL;
        if (good)
            __atomic_store_n(&secure_frees, true, __ATOMIC_RELEASE);
    }
    if (probe)
        sm_free(probe);
    return good;
}

void secure_bits_seal(void)
{
    __atomic_store_n(&secure_frees, true, __ATOMIC_RELEASE);
}

bool secure_bits_has(const void *p)
{
    return __atomic_load_n(&secure_bits, __ATOMIC_ACQUIRE) && sm_arena_owns(p) &&
           (uintptr_t)p % SM_GRANULE == 0 &&
           __atomic_load_n(word_of(p), __ATOMIC_RELAXED) & bit_of(p);
}

void secure_bits_round_to(size_t size)
{
    __atomic_store_n(&least, size, __ATOMIC_RELAXED);
}

/* Rounds up to a power of two, as OpenSSL's heap does. */
static int64_t secure_counted(const void *p)
{
    size_t size = sm_usable_size(p), block = __atomic_load_n(&least, __ATOMIC_RELAXED);

    while (block < size)
        block *= 2;
    return (int64_t)block;
}

void secure_bits_set(const void *p)
{
    __atomic_fetch_or(word_of(p), bit_of(p), __ATOMIC_RELAXED);
    __atomic_fetch_add(&used, secure_counted(p), __ATOMIC_RELAXED);
}

size_t secure_bits_used(void)
{
    return (size_t)__atomic_load_n(&used, __ATOMIC_ACQUIRE);
}

bool secure_bits_drop(const void *p)
{
    if (!secure_bits_has(p))
        return false;
    __atomic_fetch_and(word_of(p), ~bit_of(p), __ATOMIC_RELAXED);
    __atomic_fetch_sub(&used, secure_counted(p), __ATOMIC_RELAXED);
    return true;
}

void secure_bits_free_slow(void *p)
{
    sm_die_if_rawfork_child(); /* A rawfork child has no copy of the block. */
    if (secure_bits_drop(p) && !sm_settings.zero) {
        memset(p, 0, sm_usable_size(p));
        sm_barrier(); /* otherwise the compiler drops the stores before free */
    }
}
