/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/fork_window.h"
#include "arena/sealed.h"
#include "base/counters.h"
#include "heap/alloc_stacks.h"
#include "heap/block.h"
#include "heap/fallback.h"
#include "heap/large.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"

/* Resizes in place, or returns false. Called inside the allocator, with a live state. */
static bool resize(void *p, uint16_t state, size_t n)
{
    size_t room = n + sm_block_margin(), old;

    if (n > sm_arena.cap)
        return false;
    if (state == SM_STATE_LARGE)
        return room > SM_SLOT_MAX && sm_large_resize(p, n);
    if (state == SM_STATE_WITHHELD || state == SM_STATE_NOTHING || room > SM_SLOT_MAX ||
        sm_slot_class(room) != sm_slab_class(p))
        return false;
    old = sm_state_size(state);
    sm_block_check_end(p, old);
    if (n < old && sm_settings.zero)
        memset((char *)p + n, 0, old - n);
    if (!sm_on_valgrind()) {
        sm_canary_drop(p, old);
        sm_canary_put(p, n);
    }
    *sm_state_of(p) = (uint16_t)n;
    return true;
}

/* As resize(), and counts the change. Sets old to the size before. */
static bool resize_counted(void *p, size_t n, size_t *old)
{
    struct sm_thread_cache *cache = sm_enter();
    uint16_t state = *sm_state_of(p);
    bool done;

    if ((uintptr_t)p % SM_GRANULE || !sm_state_live(state))
        sm_misuse_pointer("realloc", p);
    sm_die_if_rawfork_child();
    *old = state == SM_STATE_LARGE ? sm_large_size(sm_page_number(p)) : sm_state_size(state);
    /* A child may be about to copy the block as it is. */
    done = !sm_window_is_mine() && resize(p, state, n);
    if (done) {
        sm_memcheck_resize(p, *old, n);
        if (sm_unlikely(sm_settings.trace))
            sm_trace_note(p);
        if (cache)
            cache->live_bytes += (int64_t)n - (int64_t)*old;
        else
            __atomic_fetch_add(&sm_stats.live_bytes, (int64_t)n - (int64_t)*old,
                               __ATOMIC_RELAXED);
    }
    sm_leave(cache);
    return done;
}

static void *move(void *p, size_t old, void *to, size_t n)
{
    if (!to)
        return NULL;
    memcpy(to, p, sm_min(old, n));
    sm_free(p);
    /* The copy went through vector registers, which a signal would write to the stack. */
    sm_clear_vector_registers();
    return to;
}

/* The new block holds the same kind of bytes, so it is requested in the same partition. */
void *sm_realloc_by(const struct sm_c_library *library, void *p, size_t n)
{
    size_t old;
    bool opened;

    if (!sm_arena_owns(p))
        return sm_fallback_realloc_by(library, p, n);
    opened = sm_sealed_open(sm_part_of(p));
    if (!resize_counted(p, n, &old))
        p = move(p, old, sm_malloc_by(library, n, sm_part_of(p), false), n);
    sm_pku_close(opened);
    return p;
}

void *sm_realloc(void *p, size_t n)
{
    return sm_realloc_by(&sm_own_library, p, n);
}
