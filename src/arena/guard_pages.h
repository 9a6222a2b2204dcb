/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guard pages: pages without access behind large blocks, which stop a read or write past the
 * end. Setting a guard page costs a system call, so a freed run keeps its guard for the next
 * block of its length.
 */
#ifndef SM_ARENA_GUARD_PAGES_H
#define SM_ARENA_GUARD_PAGES_H

#include "arena/arena.h"
#include "os/pages.h"

/* The number of SM_PAGE pages in a guard, which is one page of the kernel. */
static inline uint32_t sm_guard_pages(void)
{
    return sm_pages_per_os();
}

/* Whether a guard lies behind a run of pages pages. */
static inline bool sm_guarded(uint32_t page, uint32_t pages)
{
    return __atomic_load_n(&sm_arena.pages[page + pages].use, __ATOMIC_RELAXED) == SM_USE_GUARD;
}

/*
 * Set and lift the guard at page, its first page, which no block uses. Return false if the
 * kernel or a filter refuses, or if there are too many guards. Thread-safe.
 */
bool sm_guard_set(uint32_t page);
bool sm_guard_lift(uint32_t page);

/* Whether there are as many guards as there may be. */
bool sm_guard_scarce(void);

/* Called in a child, before the first sm_guard_rebuild(). */
void sm_guard_forget(void);

/*
 * Called in a child, whose copied pages are all accessible. Sets the guards of live blocks
 * again; the pages of retained runs are free. Called before sm_partition_rebuild().
 */
void sm_guard_rebuild(unsigned part);

#endif
