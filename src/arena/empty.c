/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/empty.h"
#include "arena/backing.h"
#include "arena/fork_window.h"
#include "arena/free_runs.h"
#include "arena/grow.h"
#include "base/counters.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"

/* Asks for the calls that emptying a chunk and filling it again take. */
bool sm_empty_is_possible(void)
{
    return !sm_arena.fixed && !sm_window_is_mine() && !sm_seccomp_forbids_any(SM_CALLS_TO_MAP);
}

/* Whether a page of anonymous memory can be locked. */
static bool can_lock(void)
{
    char *page = sm_pages_private(sm_os_page, false);
    bool good = page && sm_pages_lock(page, sm_os_page, false) == 0;

    if (page)
        sm_pages_unmap(page, sm_os_page);
    return good;
}

/*
 * Also where a filter answers with an error, or a limit was lowered, memory of a kind cannot be
 * had again. So this is tried, with one page. Memory that is no better than what the kernel
 * gives at any time may always go: what replaces it may be secret again.
 */
unsigned sm_empty_kinds(unsigned p)
{
    unsigned plain = SM_KIND_BIT(SM_KIND_PLAIN);

    if (!sm_empty_is_possible())
        return 0;
    if (!sm_backing_secret(p) || sm_pages_probe(sm_backing_flags(p)) == 0)
        return SM_KINDS_ALL;
    if (sm_counted(&sm_stats.pages[SM_KIND_LOCKED]) && can_lock())
        return plain | SM_KIND_BIT(SM_KIND_LOCKED);
    return sm_counted(&sm_stats.pages[SM_KIND_PLAIN]) ? plain : 0;
}

bool sm_empty_is_reversible(unsigned p)
{
    return sm_empty_is_possible() &&
           (!sm_backing_secret(p) || sm_pages_can_map(sm_backing_flags(p)));
}

/*
 * Whether a chunk is a file, which the kernel takes back when it is unmapped, with pages of
 * these kinds. A secret page that was never touched holds nothing that could be lost, but a
 * chunk of such pages only stays: nothing is gained by it.
 */
static bool chunk_may_go(uint32_t page, uint32_t end, unsigned kinds)
{
    bool gain = kinds == SM_KINDS_ALL;

    for (; page < end; page++) {
        const struct sm_page *entry = &sm_arena.pages[page];
        if (entry->copied || (entry->present && !(kinds & SM_KIND_BIT(entry->kind))))
            return false;
        gain = gain || entry->kind != SM_KIND_SECRET;
    }
    return gain;
}

/* Whether all that follows in a page's chunk is without memory. */
static bool ends_in_hole(uint32_t page)
{
    uint32_t behind = sm_chunk_of(page) + sm_arena.chunk;

    return sm_edge_is(page, SM_USE_HOLE) && page + sm_arena.pages[page].pages >= behind;
}

/* Pages from one to before the other. */
struct range {
    uint32_t from, to;
};

/*
 * The whole chunks at the end of a free run that may go, at most `most` pages: an empty range
 * if there is none.
 */
static struct range chunks_of(const struct sm_partition *part, uint32_t run, uint32_t most,
                              unsigned kinds)
{
    uint32_t end = run + sm_arena.pages[run].pages;
    /* Behind the last run nothing is in use. */
    uint32_t to = end == part->top ? part->mapped : end, from;

    if (to != part->mapped && !ends_in_hole(to))
        to = sm_chunk_of(to);
    from = to;
    for (uint32_t at = to, chunk; at > run && to - from < most; at = chunk) {
        chunk = sm_chunk_of(at - 1);
        if (chunk < run)
            break;
        if (chunk_may_go(chunk, at, kinds))
            from = chunk;
        else if (from < to)
            break;
        else
            from = to = chunk;
    }
    return (struct range){from, to};
}

/* The partition ends where its last free pages have no memory any more. */
static void trim(struct sm_partition *part, uint32_t end)
{
    while (end > part->first && sm_edge_is(end - 1, SM_USE_HOLE)) {
        end -= sm_arena.pages[end - 1].pages;
        sm_hole_remove(part, end);
    }
    part->top = part->mapped = end;
}

static uint32_t empty_chunks(unsigned p, uint32_t run, uint32_t most, unsigned kinds)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t end = run + sm_arena.pages[run].pages;
    struct range gone = chunks_of(part, run, most, kinds);
    uint32_t pages = gone.to - gone.from;

    if (pages == 0 || !sm_backing_empty(p, gone.from, pages))
        return 0;
    sm_free_remove(part, run);
    if (gone.to == part->mapped)
        trim(part, gone.from);
    else
        sm_hole_add(part, gone.from, pages);
    if (gone.from > run)
        sm_free_add(part, run, gone.from - run);
    if (gone.to < end)
        sm_free_add(part, gone.to, end - gone.to);
    return pages;
}

/* Returns a free run of a band that has a chunk to empty, or 0. */
static uint32_t candidate(const struct sm_partition *part, unsigned band, unsigned kinds)
{
    /* The first chunk is shorter by the page that is never used. */
    for (unsigned list = SM_RUN_LISTS; list-- >= sm_run_list_of(sm_arena.chunk);) {
        for (uint32_t run = part->free[band][list]; run; run = sm_arena.pages[run].next) {
            struct range gone = chunks_of(part, run, 1, kinds);
            if (gone.from < gone.to)
                return run;
        }
    }
    return 0;
}

uint32_t sm_free_empty(unsigned p, uint32_t pages, unsigned kinds)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t emptied = 0, got = 1, run;

    if (!part->may_empty || !kinds || !sm_empty_is_possible())
        return 0;
    for (unsigned band = SM_BANDS; band-- > 0;) {
        while (got && emptied < pages && (run = candidate(part, band, kinds)) != 0) {
            got = empty_chunks(p, run, pages - emptied, kinds);
            emptied += got;
        }
    }
    sm_free_note_low(part);
    /* A failure is tried again by the next plan (scavenge.c), or when a run becomes as long. */
    if (emptied < pages)
        part->may_empty = false;
    return emptied;
}
