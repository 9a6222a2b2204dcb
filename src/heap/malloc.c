/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/fork_window.h"
#include "arena/page_runs.h"
#include "arena/sealed.h"
#include "arena/shortage.h"
#include "arena/wiped.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/alloc_stacks.h"
#include "heap/bins.h"
#include "heap/block.h"
#include "heap/borrow.h"
#include "heap/empty_blocks.h"
#include "heap/fallback.h"
#include "heap/large.h"
#include "heap/malloc_fast.h"
#include "heap/quarantine.h"
#include "heap/slab.h"
#include "heap/thread_stocks.h"
#include "log/lapse.h"
#include "os/valgrind.h"

static struct sm_lock arena_lock;
static struct sm_window_queue deferred;

/* Reserves the range when the first block is requested. Called inside the allocator. */
static bool have_arena(void)
{
    static bool failed;

    if (sm_likely(__atomic_load_n(&sm_arena.span, __ATOMIC_ACQUIRE)))
        return true;
    if (sm_window_is_empty())
        return sm_short_of(SM_SHORT_FORKING);
    sm_lock_take(&arena_lock);
    if (!sm_arena.span && !failed && !sm_arena.fixed)
        failed = !sm_arena_init();
    sm_lock_drop(&arena_lock);
    if (!sm_arena.span)
        return sm_short_of(sm_arena.fixed ? SM_SHORT_FIXED : SM_SHORT_SPACE);
    return true;
}

size_t sm_heap_reserve(unsigned part, size_t bytes)
{
    struct sm_thread_cache *cache = sm_enter();
    bool opened = sm_sealed_open(part);
    size_t got = have_arena() ? sm_arena_prefault(part, bytes) : 0;

    sm_pku_close(opened);
    sm_leave(cache);
    return got;
}

void sm_heap_shrink(size_t allowed)
{
    struct sm_thread_cache *cache = sm_enter();

    sm_arena_shrink(allowed);
    sm_leave(cache);
}

static void count_alloc(struct sm_thread_cache *cache, size_t n)
{
    if (cache) {
        cache->allocations++;
        cache->live_bytes += (int64_t)n;
    } else {
        sm_count(&sm_stats.allocations, 1);
        __atomic_fetch_add(&sm_stats.live_bytes, (int64_t)n, __ATOMIC_RELAXED);
    }
}

static void count_free(struct sm_thread_cache *cache, size_t n)
{
    if (cache) {
        cache->frees++;
        cache->live_bytes -= (int64_t)n;
    } else {
        sm_count(&sm_stats.frees, 1);
        __atomic_fetch_sub(&sm_stats.live_bytes, (int64_t)n, __ATOMIC_RELAXED);
    }
}

/* Takes a slot from the thread's bin, or from the slabs with more slots for the bin. */
static void *take_slot(struct sm_thread_cache *cache, unsigned part, unsigned class)
{
    unsigned b = sm_bin_of(part, class);
    void *slot;

    if (!cache || cache->lean)
        return sm_slab_fetch(part, class, cache ? cache->shard : 0, &slot, 1) ? slot : NULL;
    slot = sm_bin_pop(cache, b);
    if (!slot && sm_bin_fetch(cache, part, class))
        slot = sm_bin_pop(cache, b);
    return slot;
}

static void *small_alloc(struct sm_thread_cache *cache, size_t n, unsigned part, unsigned class)
{
    void *p = take_slot(cache, part, class);

    if (p)
        sm_block_begin(p, n, class);
    return p;
}

/* Slots of a power-of-two size lie at multiples of the size, because runs begin at pages. */
static bool slot_is_aligned(size_t size, size_t align)
{
    return align <= SM_PAGE && size >= align && (size & (size - 1)) == 0;
}

static void *arena_alloc(struct sm_thread_cache *cache, size_t n, size_t align, unsigned part)
{
    size_t room = n + sm_block_margin();
    void *p = NULL;

    /* Valgrind and the trace know blocks by their memory. */
    if (n == 0 && align == 1 && !sm_on_valgrind() && !sm_settings.trace &&
        (p = sm_empty_block_take(part)) != NULL)
        return p;
    if (n > sm_arena.cap)
        sm_short_of(n > SIZE_MAX >> 16 ? SM_SHORT_ABSURD : SM_SHORT_BLOCK);
    else if (align > sm_arena.cap)
        sm_short_of(SM_SHORT_ALIGNMENT);
    else if (room > SM_SLOT_MAX || (align > SM_GRANULE && !slot_is_aligned(room, align)))
        p = sm_large_alloc(part, n, align);
    else
        p = small_alloc(cache, n, part, sm_slot_class(room));
    if (p)
        sm_memcheck_malloc(p, n);
    return p;
}

static void *arena_malloc(size_t n, size_t align, unsigned part)
{
    struct sm_thread_cache *cache = sm_enter();
    bool opened = sm_sealed_open(part);
    struct sm_short why;
    void *p = NULL;

    sm_die_if_rawfork_child();
    sm_short_of(SM_SHORT_UNKNOWN);
    if (have_arena()) {
        p = arena_alloc(cache, n, align, part);
        if (!p && n <= sm_arena.cap && sm_thread_caches_flush_runs())
            p = arena_alloc(cache, n, align, part);
        if (!p && n <= sm_arena.cap && sm_stocks_gather(&cache))
            p = arena_alloc(cache, n, align, part);
        why = sm_short_now; /* the reason of this partition, not of the others */
        for (unsigned other = 0; !p && other < SM_PARTS; other++)
            p = sm_may_borrow(part, other) ? arena_alloc(cache, n, align, other) : NULL;
        sm_short_now = why;
        if (p && sm_is_sealed(part) && sm_part_of(p) != part)
            sm_lapse(
                SM_LAPSE_UNSEALED,
                "SECRETSSL_SEAL: there is no more sealed memory for private keys: all code "
                "of this process can read some; raise SECRETSSL_ARENA_SIZE or "
                "RLIMIT_MEMLOCK, or set SECRETSSL_SEAL=require");
    }
    if (p) {
        count_alloc(cache, n);
        if (sm_unlikely(sm_settings.trace))
            sm_trace_note(p);
    }
    sm_stocks_count(cache);
    sm_pku_close(opened);
    sm_leave(cache);
    return p;
}

void *sm_arena_malloc(size_t n, unsigned part)
{
    return arena_malloc(n, 1, part);
}

static void *malloc_slow(size_t n, size_t align, unsigned part)
{
    void *p = arena_malloc(n, align, part);

    return p || !sm_may_fall_back(part) ? p : sm_fallback_alloc(n, align);
}

void *sm_malloc_slow(size_t n, unsigned part)
{
    return malloc_slow(n, 1, part);
}

void *sm_malloc(size_t n, unsigned part)
{
    return sm_likely(n != 0) ? sm_malloc_fast(n, part) : sm_malloc_slow(0, part);
}

void *sm_malloc_by(const struct sm_c_library *library, size_t n, unsigned part, bool needed)
{
    void *p;

    if (library == &sm_own_library && !needed)
        return sm_malloc(n, part);
    p = arena_malloc(n, 1, part);
    return p || !(needed ? sm_short_needed() : sm_may_fall_back(part))
               ? p
               : sm_fallback_alloc_by(library, n);
}

void *sm_aligned_malloc(size_t align, size_t n, unsigned part)
{
    size_t size = align;

    if (align <= SM_GRANULE || n > SM_PAGE)
        return align <= SM_GRANULE ? sm_malloc(n, part) : malloc_slow(n, align, part);
    /* The block fills its slot, because free finds the class by the block's size. */
    while (size < SM_PAGE && size < n + sm_block_margin())
        size *= 2;
    if (size <= SM_PAGE && size >= n + sm_block_margin())
        n = size - sm_block_margin();
    return malloc_slow(n + (n == 0), align, part);
}

static void free_slot(struct sm_thread_cache *cache, void *p, size_t n)
{
    unsigned part = sm_part_of(p), class = sm_slab_class(p), b = sm_bin_of(part, class);

    sm_block_end(p, n);
    if (sm_quarantine_is_on() && sm_quarantine_slot(p, cache ? cache->shard : 0))
        return;
    if (!cache || cache->lean || cache->quarantined) {
        sm_slab_return(part, class, &p, 1);
        return;
    }
    if (sm_bin_full(cache, b))
        sm_bin_flush(cache, part, class, sm_classes[class].cached / 2);
    sm_bin_push(cache, b, p);
}

void sm_free_slow(void *p)
{
    struct sm_thread_cache *cache;
    uint16_t state;
    size_t size;
    bool opened;

    if (!sm_arena_owns(p)) {
        sm_fallback_free(p);
        return;
    }
    cache = sm_enter();
    state = *sm_state_of(p);
    size = sm_state_size(state);
    if ((uintptr_t)p % SM_GRANULE || !sm_state_live(state))
        sm_misuse_pointer("free", p);
    sm_die_if_rawfork_child();
    if (sm_unlikely(sm_window_defer(&deferred, p))) {
        sm_leave(cache);
        return;
    }
    if (state == SM_STATE_WITHHELD || state == SM_STATE_NOTHING) {
        *sm_state_of(p) = SM_STATE_FREE;
        size = 0;
    } else if (state == SM_STATE_LARGE) {
        size = sm_large_size(sm_page_number(p));
        opened = sm_sealed_open(sm_part_of(p));
        sm_large_free(p);
        sm_pku_close(opened);
    } else {
        opened = sm_sealed_open(sm_part_of(p));
        free_slot(cache, p, size);
        sm_pku_close(opened);
    }
    count_free(cache, size);
    sm_stocks_count(cache);
    sm_leave(cache);
}

void sm_free(void *p)
{
    sm_free_fast(p);
}

void sm_heap_free_deferred(void)
{
    void *block;

    while ((block = sm_window_take_deferred(&deferred)))
        sm_free(block);
}

size_t sm_usable_size(const void *p)
{
    uint16_t state;

    if (!sm_arena_owns(p))
        return sm_fallback_size(p);
    state = *sm_state_of(p);
    if ((uintptr_t)p % SM_GRANULE || !sm_state_live(state))
        sm_misuse_pointer("usable size", p);
    if (state == SM_STATE_WITHHELD)
        return 0;
    return state == SM_STATE_LARGE ? sm_large_size(sm_page_number(p)) : sm_state_size(state);
}

bool sm_is_secret(const void *p)
{
    if (!sm_arena_owns(p))
        return false;
    if (*sm_state_of(p) == SM_STATE_NOTHING)
        return true;
    return sm_arena_has_secret(p);
}
