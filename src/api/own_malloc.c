/* SPDX-License-Identifier: Apache-2.0 */
#include "api/own_malloc.h"
#include "api/own_fork.h"
#include "api/own_seal.h"
#include "heap/canary.h"
#include "heap/misuse.h"
#include "heap/thread_cache.h"
#include "stacktrace/fatal.h"
#include <errno.h>
#include <string.h>

/* The canary is the last word of a block's last granule. */
#define CANARY sizeof(uint64_t)

static void *granule_address(const struct secretmem_arena *arena, size_t at)
{
    return arena->start + at * SM_OWN_GRANULE;
}

static sm_word *canary_of(const struct secretmem_arena *arena, size_t at, size_t granules)
{
    return (sm_word *)((char *)granule_address(arena, at + granules) - CANARY);
}

/* A block's granules that fit size bytes and the canary, or 0 if no arena has so many. */
static size_t granules_for(size_t size)
{
    return size > SIZE_MAX - 2 * SM_OWN_GRANULE
               ? 0
               : (size + CANARY + SM_OWN_GRANULE - 1) / SM_OWN_GRANULE;
}

/* Returns the number of a block's first granule. An address that begins no block is misuse. */
static size_t block_at(const struct secretmem_arena *arena, const void *p)
{
    size_t offset = (size_t)((const char *)p - arena->start);

    if (!arena->blocks_memory || offset % SM_OWN_GRANULE ||
        !sm_own_blocks_extent(&arena->blocks, offset / SM_OWN_GRANULE))
        sm_fatal(
            "not a block: an address in an arena of the program's own, or in the memory of a "
            "descriptor",
            p);
    return offset / SM_OWN_GRANULE;
}

/* Enters the allocator with the arena's lock. */
static struct sm_thread_cache *arena_enter(struct secretmem_arena *arena)
{
    struct sm_thread_cache *cache = sm_enter();

    sm_die_if_rawfork_child();
    sm_lock_take(&arena->lock);
    return cache;
}

static void arena_leave(struct secretmem_arena *arena, struct sm_thread_cache *cache)
{
    sm_lock_drop(&arena->lock);
    sm_leave(cache);
}

/* A freed block that stays as it is would be a secret that its owner believes gone. */
static void open_or_die(struct secretmem_arena *arena)
{
    if (sm_own_open(arena) != 0)
        sm_fatal("a sealed arena cannot be opened to clear a block (mprotect is refused)",
                 NULL);
}

static void close_or_die(struct secretmem_arena *arena)
{
    if (sm_own_close(arena) != 0)
        sm_fatal("a sealed arena cannot be closed (mprotect is refused)", NULL);
}

static void *take_block(struct secretmem_arena *arena, size_t granules, int *error)
{
    size_t at;

    *error = arena->withheld ? -EACCES : sm_own_open(arena);
    if (*error)
        return NULL;
    at = sm_own_blocks_take(&arena->blocks, granules);
    if (at == SM_OWN_NO_BLOCK)
        *error = -ENOMEM;
    else
        *canary_of(arena, at, granules) = sm_canary;
    close_or_die(arena);
    return *error ? NULL : granule_address(arena, at);
}

void *sm_own_malloc(struct secretmem_arena *arena, size_t size)
{
    size_t granules = granules_for(size);
    struct sm_thread_cache *cache;
    int error = -ENOMEM;
    void *p = NULL;

    if (granules != 0) {
        cache = arena_enter(arena);
        p = take_block(arena, granules, &error);
        arena_leave(arena, cache);
    }
    if (error)
        errno = -error;
    return p;
}

void sm_own_free(void *p)
{
    struct secretmem_arena *arena = sm_own_arena_of(p);
    struct sm_thread_cache *cache = arena_enter(arena);
    size_t at = block_at(arena, p);
    size_t granules = sm_own_blocks_extent(&arena->blocks, at);

    if (sm_own_fork_defer(p)) {
        arena_leave(arena, cache);
        return;
    }
    if (!arena->withheld) {
        open_or_die(arena);
        if (*canary_of(arena, at, granules) != sm_canary)
            sm_misuse_overrun(p);
        explicit_bzero(p, granules * SM_OWN_GRANULE);
        close_or_die(arena);
    }
    sm_own_blocks_give(&arena->blocks, at);
    arena_leave(arena, cache);
}

size_t sm_own_usable_size(const void *p)
{
    struct secretmem_arena *arena = sm_own_arena_of(p);
    struct sm_thread_cache *cache = arena_enter(arena);
    size_t granules = sm_own_blocks_extent(&arena->blocks, block_at(arena, p));

    arena_leave(arena, cache);
    return arena->withheld ? 0 : granules * SM_OWN_GRANULE - CANARY;
}

void *sm_own_realloc(void *p, size_t size)
{
    struct secretmem_arena *arena = sm_own_arena_of(p);
    size_t old = sm_own_usable_size(p);
    struct sm_thread_cache *cache;
    void *moved;

    moved = sm_own_malloc(arena, size);
    if (!moved)
        return NULL;
    cache = arena_enter(arena);
    open_or_die(arena);
    memcpy(moved, p, sm_min(old, size));
    close_or_die(arena);
    arena_leave(arena, cache);
    sm_own_free(p);
    return moved;
}
