/* SPDX-License-Identifier: Apache-2.0 */
/* Both ways to ask which pages exist give the same, true answer. */
#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/pagemap.h"

enum { PAGES = 5000 };

/* Runs of 1 to 3 pages with gaps, and one long run. */
static int wanted(unsigned page)
{
    return page % 7 < page % 4 || (page > 2000 && page < 3000);
}

static void check(struct presence *presence, uint64_t base, uint64_t page)
{
    uint64_t at = base;
    uint64_t end = base + PAGES * page;
    uint64_t start, stop;
    static unsigned char there[PAGES];

    for (unsigned i = 0; i < PAGES; i++)
        there[i] = 0;
    while (presence_next(presence, at, end, &start, &stop) == 1) {
        cr_assert(start >= at && stop > start && stop <= end);
        for (uint64_t i = start; i < stop; i += page)
            there[(i - base) / page] = 1;
        at = stop;
    }
    for (unsigned i = 0; i < PAGES; i++)
        cr_assert_eq(there[i], wanted(i), "page %u", i);
}

Test(presence, both_ways)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char *at =
        mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert(at != MAP_FAILED);
    /* A huge page would make more present than was touched. */
    madvise(at, PAGES * page, MADV_NOHUGEPAGE);
    for (unsigned i = 0; i < PAGES; i++) {
        if (wanted(i))
            at[i * page] = 1;
    }

    struct presence *presence = presence_open(getpid());

    cr_assert(presence != NULL);
    check(presence, (uintptr_t)at, page);
    presence_close(presence);

    presence = presence_open(getpid());
    cr_assert(presence != NULL);
    presence_read_only(presence);
    check(presence, (uintptr_t)at, page);
    presence_close(presence);
}
