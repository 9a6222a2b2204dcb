/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast paths of malloc and free, for blocks of less than 256 bytes, inlined into their
 * callers. They use no lock and no atomic operation, and leave all other cases to malloc.c.
 *
 * Up to 256 bytes each multiple of 16 has its own size class. So n / 16 is both the class and
 * the number of a slot's granules behind the first.
 */
#ifndef SM_HEAP_MALLOC_FAST_H
#define SM_HEAP_MALLOC_FAST_H

#include "base/settings.h"
#include "heap/canary.h"
#include "heap/malloc.h"
#include "heap/misuse.h"
#include "heap/thread_cache.h"

#define SM_FAST_MAX ((SM_LAST_INLINE + 1) * SM_GRANULE - 1)
#if !SM_CHECK_SLACK
#define SM_LAST(n) (((n) - 1) / SM_GRANULE)
#else
#define SM_LAST(n) ((n) / SM_GRANULE)
#endif

void *sm_malloc_slow(size_t n, unsigned part);
void sm_free_slow(void *p);

/*
 * Turns a free slot into a block, and checks that nothing wrote to the slot since it was freed.
 */
static inline void sm_fast_begin(void *p, size_t n)
{
    if (SM_CHECK_REUSE && sm_likely(sm_settings.zero) &&
        sm_unlikely(!sm_is_clear(p, SM_LAST(n))))
        sm_misuse_dirty(p, (SM_LAST(n) + 1) * SM_GRANULE);
    sm_canary_set(p, n);
    *sm_state_at(p) = (uint16_t)n;
}

/*
 * Turns a block into a free slot, and checks that nothing wrote past the block's end or further
 * in the slot.
 */
static inline void sm_fast_end(void *p, size_t n)
{
    if (sm_unlikely(!sm_canary_good(p, n)))
        sm_misuse_overrun(p);
    if (sm_likely(sm_settings.zero)) {
        if (sm_unlikely(!sm_rest_good_inline(p, n)))
            sm_misuse_overrun(p);
        sm_clear(p, SM_LAST(n));
    }
    *sm_state_at(p) = SM_STATE_FREE;
}

/* n is not 0. */
static inline __attribute__((always_inline)) void *sm_malloc_fast(size_t n, unsigned part)
{
    struct sm_thread_cache *cache = sm_cache;
    unsigned b;
    void *p;

    if (sm_unlikely(n > SM_FAST_MAX || !sm_enter_fast(cache)))
        return sm_malloc_slow(n, part);
    b = sm_bin_of(part, (unsigned)SM_LAST(n));
    p = sm_bin_pop(cache, b);
    if (sm_unlikely(!p))
        return sm_malloc_slow(n, part);
    sm_fast_begin(p, n);
    cache->allocations++;
    cache->live_bytes += (int64_t)n;
    sm_leave(cache);
    return p;
}

/* p is not NULL. */
static inline __attribute__((always_inline)) void sm_free_fast(void *p)
{
    struct sm_thread_cache *cache = sm_cache;
    uint16_t n;
    unsigned b;

    __builtin_prefetch(p, 1); /* fetched while the size is looked up */
    if (sm_unlikely(!sm_arena_owns(p) || (uintptr_t)p % SM_GRANULE || !sm_enter_fast(cache))) {
        sm_free_slow(p);
        return;
    }
    n = *sm_state_at(p);
    b = sm_bin_at(p);
    if (sm_unlikely(n - 1U >= SM_FAST_MAX || sm_bin_full(cache, b))) {
        sm_free_slow(p);
        return;
    }
    sm_fast_end(p, n);
    sm_bin_push(cache, b, p);
    cache->frees++;
    cache->live_bytes -= n;
    sm_leave(cache);
}

#endif
