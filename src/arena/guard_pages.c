/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/guard_pages.h"
#include "base/counters.h"
#include "log/lapse.h"
#include "log/log.h"

/* A guard costs two mappings, of which Linux grants a process 65,530. */
#define GUARDS_MAX 8192

/* May go below 0, because an ancestor's guard that could not be lifted is not counted. */
static int guards;

static void guard_mark(uint32_t page, enum sm_use use)
{
    for (uint32_t i = 0; i < sm_guard_pages(); i++)
        __atomic_store_n(&sm_arena.pages[page + i].use, use, __ATOMIC_RELAXED);
}

/*
 * Counts a guard that is about to be set. Returns false, without counting, if there are too
 * many.
 */
static bool claim(void)
{
    if (__atomic_add_fetch(&guards, 1, __ATOMIC_RELAXED) <= GUARDS_MAX)
        return true;
    __atomic_fetch_sub(&guards, 1, __ATOMIC_RELAXED);
    sm_lapse(
        SM_LAPSE_GUARDS,
        "%d large blocks have guard pages, which is the maximum: overruns of further large "
        "blocks are found at free",
        GUARDS_MAX);
    return false;
}

bool sm_guard_set(uint32_t page)
{
    int error;

    if (claim()) {
        error = sm_pages_protect(sm_page_address(page), sm_os_page, false);
        if (error == 0) {
            guard_mark(page, SM_USE_GUARD);
            return true;
        }
        __atomic_fetch_sub(&guards, 1, __ATOMIC_RELAXED);
        sm_lapse(SM_LAPSE_GUARD_FAILED,
                 "no guard page behind some large blocks (mprotect: %s): their overruns are "
                 "found at free; raise the sysctl vm.max_map_count, or allow mprotect in the "
                 "filter",
                 sm_errno_name(error));
    }
    sm_count(&sm_stats.unguarded, 1);
    return false;
}

bool sm_guard_lift(uint32_t page)
{
    if (sm_pages_protect(sm_page_address(page), sm_os_page, true) != 0)
        return false;
    __atomic_fetch_sub(&guards, 1, __ATOMIC_RELAXED);
    guard_mark(page, SM_USE_NONE);
    return true;
}

bool sm_guard_scarce(void)
{
    return __atomic_load_n(&guards, __ATOMIC_RELAXED) >= GUARDS_MAX;
}

void sm_guard_forget(void)
{
    guards = 0;
}

static void free_kept(uint32_t page)
{
    uint32_t pages = sm_arena.pages[page].pages;

    /*
     * A page that the kernel copied, and not this library, still has its guard, and a run in
     * quarantine has no access. A guard that cannot be lifted stays, and the page is never
     * used.
     */
    if (sm_pages_protect(sm_page_address(page), ((size_t)pages << SM_PAGE_SHIFT) + sm_os_page,
                         true) == 0)
        guard_mark(page + pages, SM_USE_NONE);
    for (uint32_t i = 0; i < pages; i++)
        sm_arena.pages[page + i].use = SM_USE_NONE;
}

void sm_guard_rebuild(unsigned p)
{
    const struct sm_partition *part = &sm_arena.part[p];

    for (uint32_t page = part->first; page < part->top; page++) {
        const struct sm_page *run = &sm_arena.pages[page];
        if (run->use == SM_USE_LARGE && sm_guarded(page, run->pages) &&
            !sm_guard_set(page + run->pages))
            guard_mark(page + run->pages, SM_USE_BODY); /* unused, but not a guard */
        else if (run->use == SM_USE_RETAINED)
            free_kept(page);
    }
}
