/* SPDX-License-Identifier: Apache-2.0 */
#include "api/own_fork.h"
#include "api/own_arena.h"
#include "api/own_seal.h"
#include "arena/arena.h"
#include "arena/fork_window.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "fork/fork.h"
#include "os/pages.h"
#include "stacktrace/fatal.h"

static struct sm_window_queue deferred;
static void (*release_block)(void *);

static bool has_copy(const struct secretmem_arena *arena)
{
    return arena->inherited && sm_settings.fork != SM_FORK_DENY;
}

/* Before the copy, in the child: only this process's access changes. */
static void lift_seals(void)
{
    for (size_t i = 0; i < SM_OWN_ARENAS; i++) {
        struct secretmem_arena *arena = &sm_own_arenas[i];
        if (arena->start && has_copy(arena) && arena->kind == SM_KIND_SECRET)
            sm_own_seal_lift(arena);
    }
}

static void count_kept(enum sm_kind kind, size_t length)
{
    sm_count(&sm_stats.pages[kind], length >> SM_PAGE_SHIFT);
}

/* Keeps the addresses occupied, so that an access is SIGSEGV and not another's memory. */
static void lose_arena(struct secretmem_arena *arena)
{
    arena->withheld = true;
    arena->opened = 0;
    arena->kind = SM_KIND_NONE;
    if (sm_pages_discard(arena->start, arena->length) != 0)
        sm_fatal("an arena cannot be withheld from a child (mmap is refused)", NULL);
}

static void keep_arena(struct secretmem_arena *arena)
{
    bool was_secret = arena->kind == SM_KIND_SECRET;

    if (was_secret && sm_external_is_locked(arena->start))
        arena->kind = SM_KIND_LOCKED;
    if (!was_secret) {
        /* A child does not inherit locks. A sealed arena forbids to fault its pages in. */
        arena->kind = sm_pages_lock(arena->start, arena->length, true) == 0 ? SM_KIND_LOCKED
                                                                            : SM_KIND_PLAIN;
        count_kept(arena->kind, arena->length);
    }
    sm_own_seal_restore(arena);
}

static void after_fork(bool child)
{
    void *block;

    for (size_t i = 0; child && i < SM_OWN_ARENAS; i++) {
        struct secretmem_arena *arena = &sm_own_arenas[i];
        if (!arena->start || arena->withheld)
            continue;
        if (has_copy(arena))
            keep_arena(arena);
        else
            lose_arena(arena);
    }
    while ((block = sm_window_take_deferred(&deferred)))
        release_block(block);
}

bool sm_own_fork_defer(void *p)
{
    return sm_window_defer(&deferred, p);
}

void sm_own_fork_init(void (*release)(void *))
{
    release_block = release;
    sm_external_unseal = lift_seals;
    sm_fork_after = after_fork;
}
