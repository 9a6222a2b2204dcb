/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/fork_kernel_copy.h"
#include "arena/wiped.h"
#include "fork/external_pages.h"
#include "fork/fork.h"
#include "fork/fork_later.h"
#include "heap/slab.h"
#include "os/fork_copies.h"
#include "os/pages.h"
#include "os/protection_key.h"

struct touching {
    uint32_t next; /* the pages before are done; blocks are visited in the order of addresses */
    bool good;
};

/* Makes the whole run resident, as present_block() in fork_copy.c does. */
static void touch_run(char *block, size_t size, size_t extent, void *arg)
{
    struct touching *touching = arg;
    uint32_t page = sm_run_of(block), end = page + sm_arena.pages[page].pages;

    (void)size, (void)extent;
    for (page = (uint32_t)sm_max(page, touching->next); page < end && touching->good; page++) {
        if (sm_arena.pages[page].kind == SM_KIND_SECRET)
            touching->good = sm_pages_fault_in(sm_page_address(page)) == 0;
    }
    touching->next = page;
}

/* Pages that are not accessible, as those of guards, fail, and nothing is missing. */
void sm_fork_kernel_copy_touch(void)
{
    bool opened;

    if (!sm_kernel_has_copied())
        return;
    sm_fork_catch_up();
    opened = sm_pku_open();
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        for (uint32_t page = sm_arena.part[p].first; page < sm_arena.part[p].top; page++) {
            if (sm_arena_has_secret(sm_page_address(page)))
                sm_pages_fault_in(sm_page_address(page));
        }
    }
    sm_external_touch();
    sm_pku_close(opened);
}

/*
 * Where there is no limit, the copy of a page is made when somebody touches it, and a child
 * that only calls exec pays for none. A limit that the program has set since the start could
 * turn such a touch into SIGBUS.
 */
const char *sm_fork_kernel_copy_take(bool deny)
{
    struct touching touching = {.good = true};

    /* A handler of the program, in the window, had memory mapped that the kernel shares. */
    if (!sm_kernel_copies())
        return "the kernel refuses to copy secret memory";
    sm_kernel_copied();
    if (!sm_kernel_copies_limited())
        return deny ? NULL : sm_external_fork_keep(false);
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        if (!deny || p != SM_PART_BYTES)
            sm_visit_live(p, touch_run, &touching);
    }
    if (!touching.good)
        return "no secret memory for a child's copy of the secrets";
    return deny ? NULL : sm_external_fork_keep(true);
}
