/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/empty.h"
#include "arena/backing.h"
#include "arena/fork_window.h"
#include "arena/free_runs.h"
#include "arena/grow.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"

/* Asks for the calls that emptying a chunk and filling it again take. */
bool sm_empty_is_possible(void)
{
    return !sm_arena.fixed && !sm_window_is_mine() && !sm_seccomp_forbids_any(SM_CALLS_TO_MAP);
}

/*
 * Also where a filter answers with an error, or a limit was lowered, memory cannot be mapped
 * again. So this is tried, with one page.
 */
bool sm_empty_is_wise(unsigned p)
{
    return sm_empty_is_possible() &&
           (!sm_backing_secret(p) || sm_pages_probe(sm_backing_flags(p)) == 0);
}

bool sm_empty_is_reversible(unsigned p)
{
    return sm_empty_is_possible() &&
           (!sm_backing_secret(p) || sm_pages_can_map(sm_backing_flags(p)));
}

/* Whether a chunk is a file, which the kernel takes back when it is unmapped. */
static bool is_file(uint32_t page, uint32_t end)
{
    while (page < end && !sm_arena.pages[page].copied)
        page++;
    return page == end;
}

/* Whether all that follows in a page's chunk is without memory. */
static bool ends_in_hole(uint32_t page)
{
    uint32_t behind = sm_chunk_of(page) + sm_arena.chunk;

    return sm_edge_is(page, SM_USE_HOLE) && page + sm_arena.pages[page].pages >= behind;
}

/* The whole chunks at the end of a free run, at most pages pages: from *from to before *to. */
static bool chunks_of(const struct sm_partition *part, uint32_t run, uint32_t pages,
                      uint32_t *from, uint32_t *to)
{
    uint32_t end = run + sm_arena.pages[run].pages;

    /* Behind the last run nothing is in use. */
    *to = end == part->top ? part->mapped : end;
    if (*to != part->mapped && !ends_in_hole(*to))
        *to = sm_chunk_of(*to);
    *from = *to;
    for (uint32_t at = *to, chunk; at > run && *to - *from < pages; at = chunk) {
        chunk = sm_chunk_of(at - 1);
        if (chunk < run)
            break;
        if (is_file(chunk, at))
            *from = chunk;
        else if (*from < *to)
            break;
        else
            *from = *to = chunk;
    }
    return *from < *to;
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

static uint32_t empty_chunks(unsigned p, uint32_t run, uint32_t pages)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t end = run + sm_arena.pages[run].pages, from, to;

    if (!chunks_of(part, run, pages, &from, &to) || !sm_backing_empty(p, from, to - from))
        return 0;
    sm_free_remove(part, run);
    if (to == part->mapped)
        trim(part, from);
    else
        sm_hole_add(part, from, to - from);
    if (from > run)
        sm_free_add(part, run, from - run);
    if (to < end)
        sm_free_add(part, to, end - to);
    return to - from;
}

/* Returns a free run of a band that has a chunk to empty, or 0. */
static uint32_t candidate(const struct sm_partition *part, unsigned band)
{
    uint32_t from, to;

    /* The first chunk is shorter by the page that is never used. */
    for (unsigned list = SM_RUN_LISTS; list-- >= sm_run_list_of(sm_arena.chunk);) {
        for (uint32_t run = part->free[band][list]; run; run = sm_arena.pages[run].next) {
            if (chunks_of(part, run, 1, &from, &to))
                return run;
        }
    }
    return 0;
}

uint32_t sm_free_empty(unsigned p, uint32_t pages)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t emptied = 0, got = 1, run;

    if (!part->may_empty || !sm_empty_is_possible())
        return 0;
    for (unsigned band = SM_BANDS; band-- > 0;) {
        while (got && emptied < pages && (run = candidate(part, band)) != 0) {
            got = empty_chunks(p, run, pages - emptied);
            emptied += got;
        }
    }
    sm_free_note_low(part);
    /* A failure is tried again by the next plan (scavenge.c), or when a run becomes as long. */
    if (emptied < pages)
        part->may_empty = false;
    return emptied;
}
