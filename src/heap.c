/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"
#include "backing.h"
#include "config.h"
#include "fork.h"
#include "format.h"
#include "large.h"
#include "memcheck.h"
#include "pages.h"
#include "registers.h"
#include "report.h"
#include "seccomp.h"
#include "slab.h"
#include "spill.h"
#include "stats.h"
#include "thread_cache.h"
#include <string.h>

static struct sm_lock start_lock;
static bool started;

void sm_heap_start(void)
{
    sm_lock_take(&start_lock);
    if (!started) {
        sm_pages_init();
        sm_size_class_init();
        sm_registers_init();
        sm_seccomp_probe();
        sm_thread_cache_init();
        sm_fork_init();
        __atomic_store_n(&started, true, __ATOMIC_RELEASE);
    }
    sm_lock_drop(&start_lock);
}

/* The range, when the first secret comes. Inside. */
static bool have_arena(void)
{
    static bool failed;

    if (sm_likely(__atomic_load_n(&sm_arena.span, __ATOMIC_ACQUIRE)))
        return true;
    sm_lock_take(&start_lock);
    if (!sm_arena.span && !failed && !sm_arena.fixed && !sm_arena_init()) {
        failed = true;
        sm_report("no address space for the arena: %s",
                  sm_config.require ? "allocations fail" : "secrets go to the C library");
    }
    sm_lock_drop(&start_lock);
    return sm_arena.span != 0;
}

bool sm_heap_started(void)
{
    return __atomic_load_n(&started, __ATOMIC_ACQUIRE);
}

size_t sm_heap_reserve(unsigned part, size_t bytes)
{
    struct sm_thread_cache *cache = sm_enter();
    size_t got = have_arena() ? sm_arena_prefault(part, bytes) : 0;

    sm_leave(cache);
    return got;
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

static size_t redzone(void)
{
    return sm_on_valgrind() ? SM_MEMCHECK_REDZONE : 0;
}

/* A slot from the slabs, and some for the thread's bin. */
static void *small_from_slab(struct sm_thread_cache *cache, unsigned part, unsigned class)
{
    struct sm_bin *bin;
    void *slot;

    if (!cache)
        return sm_slab_fetch(part, class, &slot, 1) ? slot : NULL;
    bin = &cache->bins[part][class];
    if (bin->count) /* another partition's, or aligned: not by the fast path */
        return bin->slots[--bin->count];
    bin->count = (uint16_t)sm_slab_fetch(part, class, bin->slots, bin->want);
    bin->want = (uint32_t)sm_min(bin->want * 2, bin->room / 2 + 1);
    return bin->count ? bin->slots[--bin->count] : NULL;
}

/* Slots of a power of two lie at their own multiples: runs begin at pages. */
static bool slot_is_aligned(size_t size, size_t align)
{
    return align <= SM_PAGE && size >= align && (size & (size - 1)) == 0;
}

static void *arena_alloc(struct sm_thread_cache *cache, size_t n, size_t align, unsigned part)
{
    size_t room = n + redzone();
    void *p;

    if (n > sm_arena.cap)
        return NULL;
    if (room > SM_SMALL_MAX || (align > SM_GRANULE && !slot_is_aligned(room, align)))
        p = sm_large_alloc(part, n, align);
    else
        p = small_from_slab(cache, part, sm_size_class(room));
    if (!p)
        return NULL;
    if (*sm_state_of(p) != SM_STATE_LARGE)
        *sm_state_of(p) = (uint16_t)n;
    sm_memcheck_malloc(p, n);
    return p;
}

/*
 * A partition that is full and cannot grow: keys go among other keys, then among what is
 * public, rather than out of secret memory, but not where record buffers are. When a filter
 * forbids to map more, any secret memory is better than none.
 */
static bool may_borrow(unsigned part, unsigned other)
{
    bool keys = part == SM_PART_KEY || part == SM_PART_BYTES;

    if (part == other)
        return false;
    /* Key bytes are treated in a way that other things would not stand. */
    if (other == SM_PART_BYTES &&
        (sm_config.fork == SM_FORK_DENY || sm_config.uncached != SM_UNCACHED_OFF))
        return false;
    return sm_arena.fixed || (keys && other != SM_PART_IO && sm_backing_secret(other));
}

static void *malloc_slow(struct sm_thread_cache *cache, size_t n, size_t align, unsigned part)
{
    void *p = NULL;

    sm_assert_announced();
    if (have_arena()) {
        p = arena_alloc(cache, n, align, part);
        for (unsigned other = 0; !p && other < SM_PARTS; other++)
            p = may_borrow(part, other) ? arena_alloc(cache, n, align, other) : NULL;
    }
    if (p)
        count_alloc(cache, n);
    sm_leave(cache);
    return p ? p : sm_spill_alloc(n, align);
}

void *sm_malloc(size_t n, unsigned part)
{
    struct sm_thread_cache *cache;
    struct sm_bin *bin;
    void *p;

    n += n == 0;
    cache = sm_enter();
    if (sm_unlikely(!cache || n > SM_SMALL_MAX))
        return malloc_slow(cache, n, 1, part);
    bin = &cache->bins[part][sm_size_class(n)];
    if (sm_unlikely(bin->count == 0))
        return malloc_slow(cache, n, 1, part);
    p = bin->slots[--bin->count];
    *sm_state_of(p) = (uint16_t)n;
    cache->allocations++;
    cache->live_bytes += (int64_t)n;
    sm_leave(cache);
    return p;
}

void *sm_aligned_malloc(size_t align, size_t n, unsigned part)
{
    struct sm_thread_cache *cache;

    if (align <= SM_GRANULE)
        return sm_malloc(n, part);
    if (align <= SM_PAGE && n <= SM_PAGE && !redzone()) {
        size_t size = align;
        while (size < n)
            size *= 2;
        n = size;
    }
    cache = sm_enter();
    return malloc_slow(cache, n + (n == 0), align, part);
}

/* What is wrong with freeing p, whose state says that no block begins there? */
static _Noreturn void bad_pointer(const char *what, const void *p)
{
    uint16_t state = *sm_state_of(p);
    const char *kind = "an address that was never allocated";
    char text[128];

    sm_assert_announced();
    if (sm_offset(p) % SM_GRANULE)
        kind = "an address that is not aligned";
    else if (state & SM_STATE_FREE)
        kind = "a block that is free already (double free)";
    else if (sm_arena.pages[sm_page_number(p)].use != SM_USE_NONE &&
             sm_arena.pages[sm_page_number(p)].use != SM_USE_FREE)
        kind = "an address inside a block or never allocated";
    sm_format(text, sizeof(text), "%s of %s", what, kind);
    sm_fatal(text, p);
}

/* A full bin gives half of its slots back. */
static void flush_bin(struct sm_bin *bin, unsigned part, unsigned class)
{
    unsigned keep = bin->room / 2;

    sm_slab_return(part, class, bin->slots + keep, bin->count - keep);
    bin->count = (uint16_t)keep;
}

static void free_slow(struct sm_thread_cache *cache, void *p, uint16_t state)
{
    unsigned part = sm_part_of(p), class;

    if (sm_offset(p) % SM_GRANULE || !sm_state_live(state))
        bad_pointer("free", p);
    sm_assert_announced();
    if (state == SM_STATE_LOST) {
        *sm_state_of(p) = SM_STATE_FREE;
        count_free(cache, 0);
    } else if (state == SM_STATE_LARGE) {
        count_free(cache, sm_large_size(sm_page_number(p)));
        sm_large_free(p);
    } else {
        class = sm_slab_class(p);
        if (sm_config.zero)
            memset(p, 0, state);
        sm_memcheck_free(p);
        *sm_state_of(p) = SM_STATE_FREE;
        count_free(cache, state);
        if (cache) {
            struct sm_bin *bin = &cache->bins[part][class];
            flush_bin(bin, part, class);
            bin->slots[bin->count++] = p;
        } else {
            sm_slab_return(part, class, &p, 1);
        }
    }
    sm_leave(cache);
}

void sm_free(void *p)
{
    struct sm_thread_cache *cache;
    struct sm_bin *bin;
    uint16_t state;

    if (sm_unlikely(!sm_arena_owns(p))) {
        sm_spill_free(p);
        return;
    }
    cache = sm_enter();
    state = *sm_state_of(p);
    if (sm_unlikely(!cache || state - 1U >= SM_SMALL_MAX || (uintptr_t)p % SM_GRANULE)) {
        free_slow(cache, p, state);
        return;
    }
    bin = &cache->bins[sm_part_of(p)][sm_size_class(state)];
    if (sm_unlikely(bin->count >= bin->room)) {
        free_slow(cache, p, state);
        return;
    }
    if (sm_likely(sm_config.zero))
        memset(p, 0, state);
    *sm_state_of(p) = SM_STATE_FREE;
    bin->slots[bin->count++] = p;
    cache->frees++;
    cache->live_bytes -= state;
    sm_leave(cache);
}

/* In place? Inside; the state is live. */
static bool resize(void *p, uint16_t state, size_t n)
{
    if (state == SM_STATE_LARGE)
        return n + redzone() > SM_SMALL_MAX && sm_large_resize(p, n);
    if (state == SM_STATE_LOST || n + redzone() > SM_SMALL_MAX ||
        sm_size_class(n + redzone()) != sm_slab_class(p))
        return false;
    if (n < state && sm_config.zero)
        memset((char *)p + n, 0, state - n);
    *sm_state_of(p) = (uint16_t)n;
    return true;
}

static void *move(void *p, size_t old, size_t n, unsigned part)
{
    void *to = sm_malloc(n, part);

    if (!to)
        return NULL;
    memcpy(to, p, sm_min(old, n));
    sm_free(p);
    return to;
}

void *sm_realloc(void *p, size_t n)
{
    struct sm_thread_cache *cache;
    uint16_t state;
    size_t old;
    bool done;

    if (!sm_arena_owns(p))
        return sm_spill_realloc(p, n);
    cache = sm_enter();
    state = *sm_state_of(p);
    if ((uintptr_t)p % SM_GRANULE || !sm_state_live(state))
        bad_pointer("realloc", p);
    sm_assert_announced();
    old = state == SM_STATE_LARGE ? sm_large_size(sm_page_number(p)) : state;
    done = resize(p, state, n);
    if (done) {
        sm_memcheck_resize(p, old, n);
        if (cache)
            cache->live_bytes += (int64_t)n - (int64_t)old;
        else
            __atomic_fetch_add(&sm_stats.live_bytes, (int64_t)n - (int64_t)old,
                               __ATOMIC_RELAXED);
    }
    sm_leave(cache);
    /* A block stays in the partition it was put in: its bytes are what they were. */
    return done ? p : move(p, old, n, sm_part_of(p));
}

size_t sm_usable_size(const void *p)
{
    uint16_t state;

    if (!sm_arena_owns(p))
        return sm_spill_size(p);
    state = *sm_state_of(p);
    if ((uintptr_t)p % SM_GRANULE || !sm_state_live(state))
        bad_pointer("usable size", p);
    return state == SM_STATE_LARGE ? sm_large_size(sm_page_number(p)) : state;
}

bool sm_is_secret(const void *p)
{
    const struct sm_page *page;

    if (!sm_arena_owns(p))
        return false;
    page = &sm_arena.pages[sm_page_number(p)];
    return page->present && page->kind == SM_KIND_SECRET;
}
