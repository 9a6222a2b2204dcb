/* SPDX-License-Identifier: Apache-2.0 */
/* The table of memory outside the heap. Lookups take no lock. */
#include "api/own_arena.h"
#include "arena/arena.h"
#include "arena/fork_window.h"
#include "base/counters.h"
#include "heap/thread_cache.h"
#include <errno.h>

struct secretmem_arena sm_own_arenas[SM_OWN_ARENAS];

static struct sm_lock table_lock; /* taken inside the allocator, so never held at fork */
static uint32_t published;        /* 0: no lookup is needed */

struct secretmem_arena *sm_own_arena_of(const void *p)
{
    const char *at = p;

    if (sm_likely(__atomic_load_n(&published, __ATOMIC_ACQUIRE) == 0))
        return NULL;
    for (size_t i = 0; i < SM_OWN_ARENAS; i++) {
        struct secretmem_arena *arena = &sm_own_arenas[i];
        const char *start = __atomic_load_n(&arena->start, __ATOMIC_ACQUIRE);
        if (start && at >= start && (size_t)(at - start) < arena->length)
            return arena;
    }
    return NULL;
}

bool sm_own_arena_valid(const struct secretmem_arena *arena)
{
    uintptr_t offset = (uintptr_t)arena - (uintptr_t)sm_own_arenas;

    return offset < sizeof(sm_own_arenas) && offset % sizeof(*arena) == 0 &&
           __atomic_load_n(&arena->start, __ATOMIC_ACQUIRE) != NULL && arena->blocks_memory;
}

static struct secretmem_arena *take_entry(void)
{
    struct secretmem_arena *found = NULL;

    sm_lock_take(&table_lock);
    for (size_t i = 0; i < SM_OWN_ARENAS && !found; i++) {
        if (!sm_own_arenas[i].claimed)
            found = &sm_own_arenas[i];
    }
    if (found)
        *found = (struct secretmem_arena){.claimed = true};
    sm_lock_drop(&table_lock);
    return found;
}

int sm_own_claim(struct secretmem_arena **arena)
{
    struct sm_thread_cache *cache = sm_enter();
    int error = 0;

    sm_die_if_rawfork_child();
    *arena = NULL;
    if (sm_window_is_mine())
        error = -EBUSY;
    else if ((*arena = take_entry()) == NULL)
        error = -ENOSPC;
    sm_leave(cache);
    return error;
}

void sm_own_unclaim(struct secretmem_arena *arena)
{
    sm_lock_take(&table_lock);
    arena->claimed = false;
    sm_lock_drop(&table_lock);
}

void sm_own_publish(struct secretmem_arena *arena, char *start, size_t length)
{
    arena->length = length;
    /* The count is what makes a child of an unannounced fork notice that it lost something. */
    __atomic_fetch_add(&sm_arena.external, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&published, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&arena->start, start, __ATOMIC_RELEASE);
}

void sm_own_withdraw(struct secretmem_arena *arena)
{
    __atomic_store_n(&arena->start, NULL, __ATOMIC_RELEASE);
    __atomic_fetch_sub(&published, 1, __ATOMIC_RELEASE);
    __atomic_fetch_sub(&sm_arena.external, 1, __ATOMIC_RELAXED);
}
