/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guards: pages without access behind large blocks, where a read or write that runs past
 * the end stops. Setting one costs a system call, so a run that is freed keeps its guard for
 * the next block of its length.
 */
#ifndef SM_ARENA_GUARD_PAGES_H
#define SM_ARENA_GUARD_PAGES_H

#include "arena/arena.h"
#include "os/pages.h"

/* Pages of a guard: one of the kernel's */
static inline uint32_t sm_guard_pages(void)
{
    return (uint32_t)(sm_os_page >> SM_PAGE_SHIFT);
}

/* Whether a guard lies behind a run that has so many pages */
static inline bool sm_guarded(uint32_t page, uint32_t pages)
{
    return __atomic_load_n(&sm_arena.pages[page + pages].use, __ATOMIC_RELAXED) == SM_USE_GUARD;
}

/*
 * page: a guard's first, which nobody uses. False: the kernel, or a filter, refuses, or there
 * are too many. Thread-safe.
 */
bool sm_guard_set(uint32_t page);
bool sm_guard_lift(uint32_t page);

/* Whether free memory should not keep any. */
bool sm_guard_scarce(void);

/* In a child, before the first sm_guard_rebuild(). */
void sm_guard_forget(void);

/*
 * In a child, whose copied pages are all accessible: sets the guards of live blocks again;
 * what was kept is free. Before sm_partition_rebuild().
 */
void sm_guard_rebuild(unsigned part);

#endif
