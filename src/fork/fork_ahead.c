/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/fork_ahead.h"
#include "arena/backing.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "fork/spares.h"
#include "os/pages.h"
#include "os/protection_key.h"
#include "os/seccomp_calls.h"
#include "os/valgrind.h"
#include <string.h>
#include <sys/single_threaded.h>

#define CALLS                                                                                  \
    (SM_CALLS_TO_MAP | SM_CALL_BIT(SM_CALL_MPROTECT) | SM_CALL_BIT(SM_CALL_MREMAP) |           \
     SM_CALL_BIT(SM_CALL_MUNMAP) | SM_CALL_BIT(SM_CALL_MINCORE) |                              \
     SM_CALL_BIT(SM_CALL_SHMGET) | SM_CALL_BIT(SM_CALL_SHMAT) | SM_CALL_BIT(SM_CALL_SHMCTL))

/* Copies that leave most resident pages of a spare unused, until the spare is given up */
#define EXCESS_PATIENCE 16

static struct sm_spare *spare;  /* the spare with the copy, between prepare and the end */
static unsigned char *resident; /* a byte for each kernel page of the spare, 0: not resident */
static uint64_t copied;         /* pages */
static uint64_t cleared;        /* pages of the spare that the copy does not need */

static bool keeps_keys(unsigned p)
{
    return sm_settings.fork == SM_FORK_DENY && p == SM_PART_BYTES;
}

/*
 * Finds the sizes of the partitions that hold secrets. Returns false if a partition has pages
 * of several kinds, or the copy would need memory of a special kind.
 */
static bool ahead_sizes(size_t sizes[SM_PARTS])
{
    size_t all = 0;
    bool any = false;

    for (unsigned p = 0; p < SM_PARTS; p++) {
        const struct sm_partition *part = &sm_arena.part[p];
        uint32_t pages = part->mapped - part->first;

        sizes[p] = 0;
        if (pages == 0 || keeps_keys(p) || !sm_backing_secret(p))
            continue;
        for (uint32_t page = part->first; page < part->mapped; page++) {
            const struct sm_page *entry = &sm_arena.pages[page];
            if ((entry->kind != SM_KIND_SECRET && entry->kind != SM_KIND_NONE) ||
                entry->uncached || entry->huge)
                return false;
        }
        sizes[p] = (size_t)pages << SM_PAGE_SHIFT;
        all += sizes[p];
        any = true;
    }
    all += sm_os_page; /* the page that nobody touches */
    return any && (all < SM_HUGE_LEAST || sm_secretmem_huge_size() == 0);
}

/* Whether a kernel page, given by its first page, has memory of live runs. */
static bool is_used(uint32_t page)
{
    if (!sm_arena.pages[page].present)
        return false;
    for (uint32_t i = page; i < page + sm_pages_per_os(); i++) {
        uint8_t use = sm_arena.pages[i].use;
        if (use == SM_USE_SLAB || use == SM_USE_LARGE || use == SM_USE_BODY)
            return true;
    }
    return false;
}

/*
 * Copies the kernel pages of live runs whole, because what is free in them is zero. Clears all
 * others, which may contain what another child wrote. Returns false without memory.
 */
static bool ahead_copy(unsigned p, size_t size)
{
    char *to = spare->start + spare->at[p];
    unsigned char *there = resident + spare->at[p] / sm_os_page;
    uint32_t page = sm_arena.part[p].first;

    for (size_t at = 0; at < spare->room[p];
         at += sm_os_page, page += sm_pages_per_os(), there++) {
        bool used = at < size && is_used(page);
        *there &= 1;
        if (used && !*there && sm_pages_populate(to + at) != 0)
            return false;
        if (used) {
            memcpy(to + at, sm_page_address(page), sm_os_page);
            *there = 1;
            copied += sm_pages_per_os();
        } else if (*there) {
            memset(to + at, 0, sm_os_page);
            cleared += sm_pages_per_os();
        }
    }
    return true;
}

static void ahead_drop(void)
{
    if (spare)
        sm_spare_drop(spare);
    spare = NULL;
}

static bool ahead_is_possible(bool alone)
{
    return alone && __libc_single_threaded && sm_settings.fork_reserve != 0 &&
           !sm_on_valgrind() && !sm_seccomp_forbids_any(CALLS) && !sm_external_any() &&
           !sm_pages_move_is_refused();
}

bool sm_fork_ahead_make(bool alone)
{
    size_t sizes[SM_PARTS];
    bool opened;

    spare = NULL;
    copied = cleared = 0;
    /* Spares that no fork can use would keep what their last users left. */
    if (!ahead_is_possible(alone) || !ahead_sizes(sizes)) {
        sm_spares_release();
        return false;
    }
    spare = sm_spare_take(sizes, &resident);
    opened = sm_pku_open();
    for (unsigned p = 0; p < SM_PARTS && spare; p++) {
        if (!ahead_copy(p, sizes[p]))
            ahead_drop();
    }
    sm_pku_close(opened);
    if (spare && !sm_spare_inherit(spare, true))
        ahead_drop();
    if (spare)
        spare->excess = cleared > 4 * copied + 256 ? spare->excess + 1 : 0;
    return spare != NULL;
}

void sm_fork_ahead_end(void)
{
    /* Otherwise every later fork would have to clear many pages that no child needs. */
    if (spare && spare->excess > EXCESS_PATIENCE)
        sm_spare_drop(spare);
    else if (spare)
        sm_spare_lend(spare);
    spare = NULL;
}

/* Describes the pages of the copy, which need not be those of the parent's that are resident.
 */
static void ahead_describe(unsigned p, size_t length)
{
    const unsigned char *there = resident + spare->at[p] / sm_os_page;
    uint32_t page = sm_arena.part[p].first, end = page + (uint32_t)(length >> SM_PAGE_SHIFT);

    for (; page < end; page++) {
        struct sm_page *entry = &sm_arena.pages[page];
        /* The copy has no holes. */
        if (entry->kind == SM_KIND_NONE)
            sm_arena.mapped += SM_PAGE;
        entry->kind = SM_KIND_SECRET;
        entry->present = there[(page - sm_arena.part[p].first) / sm_pages_per_os()] != 0;
    }
}

const char *sm_fork_ahead_place(uint64_t *pages)
{
    *pages = copied;
    sm_spare_accept(spare);
    for (unsigned p = 0; p < SM_PARTS; p++) {
        const struct sm_partition *part = &sm_arena.part[p];
        size_t length = (size_t)(part->mapped - part->first) << SM_PAGE_SHIFT;

        if (spare->room[p] == 0 || length == 0)
            continue;
        if (sm_pages_move(spare->start + spare->at[p], sm_page_address(part->first), length,
                          true) != 0)
            return "a child's copy of the secrets could not be put in place";
        ahead_describe(p, length);
    }
    sm_pages_unmap(spare->start, spare->length); /* The token stays. */
    spare = NULL;
    return NULL;
}
