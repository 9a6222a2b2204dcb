/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions for arenas of the program's own. */
#include "api/library.h"
#include "api/own_fork.h"
#include "api/own_malloc.h"
#include "api/own_memory.h"
#include "api/own_seal.h"
#include "arena/fork_window.h"
#include "arena/wiped.h"
#include "heap/thread_cache.h"
#include "os/pages.h"
#include "secretmem.h"
#include <errno.h>
#include <string.h>

#define FLAGS (SECRETMEM_ARENA_REQUIRE | SECRETMEM_ARENA_FORK_DENY | SECRETMEM_ARENA_SEALED)

/* Sets errno for a negative errno value. Returns -1, or 0 for 0. */
static int arena_result(int error)
{
    if (error == 0)
        return 0;
    errno = -error;
    return -1;
}

static void unclaim_arena(struct secretmem_arena *arena)
{
    struct sm_thread_cache *cache = sm_enter();

    sm_own_unclaim(arena);
    sm_leave(cache);
}

/*
 * Publishes an arena and seals it, with no fork in between: a child copies what is published,
 * and opens only that first.
 */
static int publish_sealed(struct secretmem_arena *arena, const struct sm_own_memory *memory,
                          bool sealed)
{
    struct sm_thread_cache *cache = sm_enter();
    int error = 0;

    sm_own_publish(arena, memory->start, memory->length);
    if (sealed)
        error = sm_own_seal_new(arena, memory->start, memory->length);
    if (error)
        sm_own_withdraw(arena);
    sm_leave(cache);
    return error;
}

/* Gives a claimed entry its memory and its bitmaps. */
static int arena_build(struct secretmem_arena *arena, struct sm_own_memory *memory, bool sealed)
{
    size_t granules = memory->length / SM_OWN_GRANULE;
    size_t bitmaps = sm_round_up(sm_own_blocks_memory(granules), sm_os_page);
    void *tables = sm_pages_lazy(bitmaps);
    int error;

    if (!tables)
        return -ENOMEM;
    error = sm_own_memory_make(memory);
    if (error == 0) {
        sm_own_blocks_init(&arena->blocks, tables, granules);
        arena->blocks_memory = bitmaps;
        arena->kind = memory->kind;
        arena->inherited = memory->inherited;
        error = publish_sealed(arena, memory, sealed);
        if (error)
            sm_own_memory_drop(memory->start, memory->length, memory->kind, memory->inherited);
    }
    if (error)
        sm_pages_unmap(tables, bitmaps);
    return error;
}

SM_EXPORT secretmem_arena *secretmem_arena_create(size_t size, unsigned flags)
{
    struct secretmem_arena *arena;
    struct sm_own_memory memory = {.inherited = !(flags & SECRETMEM_ARENA_FORK_DENY),
                                   .require = flags & SECRETMEM_ARENA_REQUIRE};
    int error = -EINVAL;

    if (size == 0 || size > SM_TIB || flags & ~FLAGS) {
        arena_result(error);
        return NULL;
    }
    sm_library_use();
    sm_own_fork_init(sm_own_free);
    error = sm_own_claim(&arena);
    if (error == 0) {
        memory.length = sm_round_up(size, sm_os_page);
        error = arena_build(arena, &memory, flags & SECRETMEM_ARENA_SEALED);
        if (error)
            unclaim_arena(arena);
    }
    return arena_result(error) == 0 ? arena : NULL;
}

/* Clears the memory, and access to it is gone again. */
static int arena_clear(struct secretmem_arena *arena)
{
    int error = arena->withheld ? 0 : sm_own_open(arena);

    if (error || arena->withheld)
        return error;
    /* Memory that a hibernation wiped has nothing to clear, and must not be touched. */
    if (!sm_is_wiped(arena->start))
        explicit_bzero(arena->start, arena->length);
    return sm_own_close(arena);
}

/*
 * Clears the memory and takes the entry from those that find it, unless a thread has the arena
 * open.
 */
static int take_down(struct secretmem_arena *arena)
{
    struct sm_thread_cache *cache = sm_enter();
    int error = 0;

    sm_die_if_rawfork_child();
    sm_lock_take(&arena->lock);
    if (sm_window_is_mine() || __atomic_load_n(&arena->opened, __ATOMIC_RELAXED) != 0)
        error = -EBUSY;
    else
        error = arena_clear(arena);
    if (error == 0) {
        /* Whoever forks before the memory is unmapped copies it still. */
        if (!arena->withheld)
            sm_own_seal_lift(arena);
        sm_own_withdraw(arena);
    }
    sm_lock_drop(&arena->lock);
    sm_leave(cache);
    return error;
}

SM_EXPORT int secretmem_arena_destroy(secretmem_arena *arena)
{
    char *start;
    int error;

    if (!arena)
        return 0;
    if (!sm_own_arena_valid(arena))
        return arena_result(-EINVAL);
    start = arena->start;
    error = take_down(arena);
    if (error)
        return arena_result(error);
    sm_own_memory_drop(start, arena->length, arena->kind, arena->inherited);
    sm_own_seal_forget(arena);
    sm_pages_unmap(arena->blocks.used, arena->blocks_memory);
    unclaim_arena(arena);
    return 0;
}

SM_EXPORT void *secretmem_arena_malloc(secretmem_arena *arena, size_t size)
{
    if (sm_own_arena_valid(arena))
        return sm_own_malloc(arena, size);
    errno = EINVAL;
    return NULL;
}

SM_EXPORT int secretmem_arena_get_stats(const secretmem_arena *arena,
                                        struct secretmem_arena_stats *stats, size_t size)
{
    struct secretmem_arena_stats now = {.size = sizeof(now)};

    if (!sm_own_arena_valid(arena))
        return arena_result(-EINVAL);
    now.capacity_bytes = arena->length;
    now.used_bytes = __atomic_load_n(&arena->blocks.in_use, __ATOMIC_RELAXED) * SM_OWN_GRANULE;
    now.blocks = __atomic_load_n(&arena->blocks.count, __ATOMIC_RELAXED);
    now.opened = __atomic_load_n(&arena->opened, __ATOMIC_RELAXED);
    now.secret = arena->kind == SM_KIND_SECRET;
    now.seal = (uint32_t)arena->seal;
    memcpy(stats, &now, sm_min(size, sizeof(now)));
    return 0;
}

static int sealed_change(secretmem_arena *arena, int (*change)(struct secretmem_arena *))
{
    struct sm_thread_cache *cache;
    int error;

    if (!sm_own_arena_valid(arena) || arena->seal == SM_OWN_NOT_SEALED)
        return arena_result(-EINVAL);
    if (arena->withheld)
        return arena_result(-EACCES);
    if (arena->seal == SM_OWN_SEALED_BY_KEY)
        return arena_result(change(arena));
    cache = sm_enter();
    sm_die_if_rawfork_child();
    sm_lock_take(&arena->lock);
    error = change(arena);
    sm_lock_drop(&arena->lock);
    sm_leave(cache);
    return arena_result(error);
}

SM_EXPORT int secretmem_begin(secretmem_arena *arena)
{
    return sealed_change(arena, sm_own_open);
}

SM_EXPORT int secretmem_end(secretmem_arena *arena)
{
    return sealed_change(arena, sm_own_close);
}
