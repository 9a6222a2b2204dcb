/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/wiped.h"
#include "arena/sealed.h"
#include "os/kernel_file.h"
#include "os/readable.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <signal.h>

uint32_t sm_wipe_known;
void (*sm_wiped_touch_more)(void);

bool sm_wipe_offered(void)
{
    uint32_t known = __atomic_load_n(&sm_wipe_known, __ATOMIC_RELAXED);
    char text[8];

    if (known == SM_WIPE_NOT_ASKED) {
        /* Whatever it says now: root may change it as long as the machine runs. */
        known =
            sm_kernel_file("/sys/module/secretmem/parameters/hibernate", text, sizeof(text)) > 0
                ? SM_WIPE_OFFERED
                : SM_WIPE_NEVER;
        __atomic_store_n(&sm_wipe_known, known, __ATOMIC_RELAXED);
    }
    return known == SM_WIPE_OFFERED;
}

static bool can_ask(void)
{
    return __atomic_load_n(&sm_wipe_known, __ATOMIC_RELAXED) == SM_WIPE_OFFERED &&
           !sm_seccomp_forbids(SM_CALL_SIGPROCMASK);
}

bool sm_is_wiped(const void *p)
{
    return can_ask() && !sm_pages_readable(p, sizeof(uint64_t));
}

bool sm_arena_has_secret(const void *p)
{
    const struct sm_page *page;

    if (!sm_arena_owns(p))
        return false;
    page = &sm_arena.pages[sm_page_number(p)];
    return page->present && page->kind == SM_KIND_SECRET;
}

/* Whether a live run begins with a page. Such a page is resident, and accessible. */
static bool is_live(uint32_t page)
{
    uint8_t use = __atomic_load_n(&sm_arena.pages[page].use, __ATOMIC_ACQUIRE);

    return (use == SM_USE_SLAB || use == SM_USE_LARGE) &&
           sm_arena_has_secret(sm_page_address(page));
}

/*
 * Another thread may free the run meanwhile, and its memory may go: a run that can be freed is
 * marked before it loses its memory or the access.
 */
static bool run_is_wiped(uint32_t page)
{
    if (!is_live(page) || sm_pages_readable(sm_page_address(page), sizeof(uint64_t)))
        return false;
    sm_full_barrier();
    return is_live(page);
}

/* The first page of the next chunk. Chunks are aligned in the address space. */
static uint32_t next_chunk(uint32_t page)
{
    uintptr_t in_chunk = ((uintptr_t)sm_arena.chunk << SM_PAGE_SHIFT) - 1;

    return sm_page_number((const void *)(((uintptr_t)sm_page_address(page) | in_chunk) + 1));
}

/*
 * Looks at one live run of each chunk, or of the first chunk that has any. Returns its first
 * page if it is wiped, 0 if none is. The partition is open.
 */
static uint32_t part_find(unsigned p, bool first)
{
    const struct sm_partition *part = &sm_arena.part[p];
    uint32_t next;

    for (uint32_t page = part->first; page < part->top; page = next) {
        next = page + 1;
        if (!is_live(page))
            continue;
        if (run_is_wiped(page))
            return page;
        if (first)
            break;
        /* In a huge block, which is longer than a chunk, each run is looked at. */
        next = next_chunk(page);
    }
    return 0;
}

/*
 * The signal is not blocked meanwhile: another library that has the allocator inside may be in
 * the same fork, with all signals blocked, and a blocked one would end the process without a
 * line.
 */
void sm_wiped_touch_at(const void *p)
{
    uint64_t bus = 1ULL << (SIGBUS - 1), before;

    sm_sys(SYS_rt_sigprocmask, SIG_UNBLOCK, &bus, &before, sizeof(bus));
    (void)*(const volatile char *)p;
    sm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
}

static bool part_is_wiped(unsigned p, bool first, bool touch)
{
    bool opened = sm_sealed_open(p);
    uint32_t page = part_find(p, first);

    if (page && touch)
        sm_wiped_touch_at(sm_page_address(page));
    sm_pku_close(opened);
    return page != 0;
}

static bool find_wiped(bool touch)
{
    bool found = false;

    if (!can_ask() || !__atomic_load_n(&sm_arena.span, __ATOMIC_ACQUIRE))
        return false;
    for (unsigned p = 0; p < SM_PARTS && !found; p++)
        found = part_is_wiped(p, false, touch);
    return found;
}

bool sm_arena_is_wiped(void)
{
    return find_wiped(false);
}

void sm_wiped_touch(void)
{
    find_wiped(true);
    if (sm_wiped_touch_more && can_ask())
        sm_wiped_touch_more();
}

void sm_wiped_touch_first(unsigned part)
{
    if (can_ask())
        part_is_wiped(part, true, true);
}
