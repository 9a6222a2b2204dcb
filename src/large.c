/* SPDX-License-Identifier: Apache-2.0 */
#include "large.h"
#include "config.h"
#include "memcheck.h"
#include <string.h>

static size_t pages_for(size_t n)
{
    size_t redzone = sm_on_valgrind() ? SM_MEMCHECK_REDZONE : 0;

    return sm_round_up(n + redzone, SM_PAGE) >> SM_PAGE_SHIFT;
}

static void mark(uint32_t page, size_t pages)
{
    struct sm_page *run = &sm_arena.pages[page];

    for (size_t i = 0; i < pages; i++) {
        __atomic_store_n(&run[i].use, i ? SM_USE_BODY : SM_USE_LARGE, __ATOMIC_RELAXED);
        run[i].back = 0;
    }
    run->pages = (uint32_t)pages;
}

void *sm_large_alloc(unsigned part, size_t n, size_t align)
{
    size_t pages;
    uint32_t page;
    char *p;

    if (n > sm_arena.cap)
        return NULL;
    pages = pages_for(n);
    page =
        sm_run_take(part, (uint32_t)pages, (uint32_t)(sm_max(align, SM_PAGE) >> SM_PAGE_SHIFT));
    if (!page)
        return NULL;
    mark(page, pages);
    sm_arena.pages[page].size = n;
    p = sm_page_address(page);
    *sm_state_of(p) = SM_STATE_LARGE;
    sm_memcheck_forbid(p, pages << SM_PAGE_SHIFT);
    return p;
}

void sm_large_free(void *p)
{
    uint32_t page = sm_page_number(p);

    if (sm_config.zero)
        memset(p, 0, sm_large_size(page));
    sm_memcheck_free(p);
    *sm_state_of(p) = SM_STATE_FREE;
    sm_run_give(page, sm_arena.pages[page].pages);
}

bool sm_large_resize(void *p, size_t n)
{
    uint32_t page = sm_page_number(p);
    size_t have = sm_arena.pages[page].pages, need;
    size_t old = sm_large_size(page);

    if (n > sm_arena.cap)
        return false;
    need = pages_for(n);
    if (need > have) {
        if (!sm_run_extend(page, (uint32_t)have, (uint32_t)(need - have)))
            return false;
        mark(page, need);
        sm_memcheck_forbid(sm_page_address(page) + (have << SM_PAGE_SHIFT),
                           (need - have) << SM_PAGE_SHIFT);
    }
    if (n < old && sm_config.zero)
        memset((char *)p + n, 0, old - n);
    if (need < have) {
        mark(page, need);
        sm_run_give(page + (uint32_t)need, (uint32_t)(have - need));
    }
    sm_arena.pages[page].size = n;
    return true;
}
