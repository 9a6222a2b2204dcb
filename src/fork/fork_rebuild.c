/* SPDX-License-Identifier: Apache-2.0 */
/* Rebuilds the allocator of a child that has its copy, as far as the tables describe it. */
#include "arena/backing.h"
#include "arena/guard_pages.h"
#include "arena/page_runs.h"
#include "arena/scavenge.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "fork/fork.h"
#include "heap/empty_blocks.h"
#include "heap/slab.h"
#include "os/pages.h"
#include <string.h>

static bool locked(uint32_t page)
{
    return sm_arena.pages[page].kind == SM_KIND_LOCKED && sm_arena.pages[page].present;
}

static int lock_range(uint32_t page, uint32_t end)
{
    return sm_pages_lock(sm_page_address(page), (size_t)(end - page) << SM_PAGE_SHIFT, true);
}

/* Locks pages again, because the kernel copied locked, undumpable memory, but not the locks. */
static void lock_again(unsigned p)
{
    uint32_t per_os = sm_pages_per_os();
    uint32_t page = sm_arena.part[p].first, end;

    for (; page < sm_arena.part[p].mapped; page = end) {
        int error;
        for (end = page; end < sm_arena.part[p].mapped && locked(end); end++)
            ;
        if (end++ == page || lock_range(page, end - 1) == 0)
            continue;
        for (; page < end - 1; page += per_os) {
            error = lock_range(page, page + per_os);
            if (error == 0)
                continue;
            for (uint32_t i = page; i < page + per_os; i++)
                sm_arena.pages[i].kind = SM_KIND_PLAIN;
            sm_short_degraded(SM_KIND_PLAIN, error);
        }
    }
}

static void clear_slot(char *slot, size_t size)
{
    if (!sm_state_live(*sm_state_of(slot)) && sm_arena.pages[sm_page_number(slot)].present &&
        sm_arena.pages[sm_page_number(slot + size - 1)].present)
        memset(slot, 0, size);
}

/* With SECRETSSL_ZERO=0, pages that the kernel copied still contain freed data. */
static void clear_free(unsigned p)
{
    struct sm_partition *part = &sm_arena.part[p];

    for (uint32_t page = part->first; page < part->top; page++) {
        struct sm_page *entry = &sm_arena.pages[page];
        char *at = sm_page_address(page);
        if (entry->use == SM_USE_SLAB) {
            size_t size = sm_classes[entry->class].size;
            for (unsigned s = sm_slab_slots(entry); s-- > 0;)
                clear_slot(at + s * size, size);
        } else if ((entry->use == SM_USE_FREE || entry->use == SM_USE_NONE) && entry->present) {
            memset(at, 0, SM_PAGE);
        }
    }
}

static void count_pages(void)
{
    uint64_t now = 0;

    sm_stats.uncached_pages = 0;
    memset(sm_stats.pages, 0, sizeof(sm_stats.pages));
    memset(sm_stats.part_pages, 0, sizeof(sm_stats.part_pages));
    for (unsigned p = 0; p < SM_PARTS; p++) {
        const struct sm_partition *part = &sm_arena.part[p];
        for (uint32_t i = part->first; i < part->mapped; i++) {
            const struct sm_page *page = &sm_arena.pages[i];
            sm_stats.pages[page->kind] += page->present;
            sm_stats.part_pages[p] += page->present;
            sm_stats.uncached_pages += page->present && sm_backing_uncached(page);
            now += page->present;
        }
    }
    for (int kind = 0; kind < SM_KINDS; kind++) {
        sm_stats.pages[kind] += sm_external_pages(kind);
        now += sm_external_pages(kind);
    }
    sm_stats.pages_peak = now;
    sm_stats.mapped = sm_arena.mapped;
}

static bool is_unused(uint32_t page)
{
    uint8_t use = sm_arena.pages[page].use;

    return use == SM_USE_FREE || use == SM_USE_NONE || use == SM_USE_GUARD;
}

/*
 * Memory that no run has is not the child's before it is used: it is made resident then, where
 * a limit can be noticed. The kernel's pages may be larger than the arena's.
 */
static void forget_unused(unsigned p)
{
    uint32_t per_os = sm_pages_per_os();

    for (uint32_t page = sm_arena.part[p].first; page < sm_arena.part[p].mapped;
         page += per_os) {
        bool unused = sm_arena.pages[page].kind == SM_KIND_SECRET;
        for (uint32_t i = page; i < page + per_os; i++)
            unused = unused && is_unused(i);
        for (uint32_t i = page; i < page + per_os && unused; i++)
            sm_arena.pages[i].present = false;
    }
}

/* Chunks are files of their own, but those of a copy that this library made are not. */
static void mark_copied(unsigned p)
{
    const struct sm_partition *part = &sm_arena.part[p];

    for (uint32_t page = part->first; page < part->mapped; page++)
        sm_arena.pages[page].copied = sm_arena.pages[page].kind != SM_KIND_NONE;
}

void sm_fork_rebuild(bool by_kernel, uint64_t *blocks, int64_t *bytes)
{
    sm_slab_reset_locks();
    sm_stats.quarantined = 0; /* The child's slots and runs are free. */
    sm_guard_forget();
    sm_scavenge_after_fork();
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        lock_again(p);
        sm_guard_rebuild(p);
        if (!sm_settings.zero)
            clear_free(p);
        sm_slab_rebuild(p, blocks, bytes);
        *blocks += sm_empty_blocks(p);
        if (by_kernel)
            forget_unused(p);
        else
            mark_copied(p);
        sm_partition_rebuild(p);
    }
    if (sm_arena.span || sm_external_any())
        count_pages();
}
