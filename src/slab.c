/* SPDX-License-Identifier: Apache-2.0 */
#include "slab.h"
#include "large.h"
#include "memcheck.h"
#include <string.h>

struct shelf {
    struct sm_lock lock;
    uint32_t partial; /* the first run with room */
};

static struct shelf shelves[SM_PARTS][SM_CLASSES];

static void list_add(struct shelf *shelf, uint32_t page)
{
    struct sm_page *run = &sm_arena.pages[page];

    run->prev = 0;
    run->next = shelf->partial;
    if (run->next)
        sm_arena.pages[run->next].prev = page;
    shelf->partial = page;
    run->listed = true;
}

static void list_remove(struct shelf *shelf, uint32_t page)
{
    struct sm_page *run = &sm_arena.pages[page];

    if (run->prev)
        sm_arena.pages[run->prev].next = run->next;
    else
        shelf->partial = run->next;
    if (run->next)
        sm_arena.pages[run->next].prev = run->prev;
    run->listed = false;
}

static void set_all_free(struct sm_page *run, unsigned slots)
{
    for (unsigned w = 0; w < SM_SLOTS_MAX / 64; w++) {
        unsigned here = slots > w * 64 ? slots - w * 64 : 0;
        run->free_slots[w] = here >= 64 ? ~0ULL : (1ULL << here) - 1;
    }
    run->free_count = (uint16_t)slots;
}

static uint32_t new_run(unsigned part, unsigned class)
{
    unsigned pages = sm_classes[class].pages;
    uint32_t page = sm_run_take(part, pages, 1);
    struct sm_page *run = &sm_arena.pages[page];

    if (!page)
        return 0;
    for (unsigned i = 0; i < pages; i++) {
        __atomic_store_n(&run[i].use, i ? SM_USE_BODY : SM_USE_SLAB, __ATOMIC_RELAXED);
        run[i].back = (uint8_t)i;
        run[i].class = (uint8_t) class;
    }
    run->pages = pages;
    memset(sm_state_of(sm_page_address(page)), 0,
           pages * SM_STATES_PER_PAGE * sizeof(uint16_t));
    sm_memcheck_forbid(sm_page_address(page), pages * SM_PAGE);
    set_all_free(run, sm_classes[class].slots);
    return page;
}

static unsigned take_slots(uint32_t page, void **slots, unsigned want)
{
    struct sm_page *run = &sm_arena.pages[page];
    size_t size = sm_classes[run->class].size;
    char *base = sm_page_address(page);
    unsigned got = 0;

    for (unsigned w = 0; w < SM_SLOTS_MAX / 64; w++) {
        while (run->free_slots[w] && got < want) {
            unsigned bit = (unsigned)__builtin_ctzll(run->free_slots[w]);
            run->free_slots[w] &= run->free_slots[w] - 1;
            slots[got++] = base + (w * 64 + bit) * size;
        }
    }
    run->free_count = (uint16_t)(run->free_count - got);
    return got;
}

unsigned sm_slab_fetch(unsigned part, unsigned class, void **slots, unsigned want)
{
    struct shelf *shelf = &shelves[part][class];
    unsigned got = 0;

    sm_lock_take(&shelf->lock);
    if (!shelf->partial) {
        uint32_t page;
        sm_lock_drop(&shelf->lock);
        page = new_run(part, class);
        if (!page)
            return 0;
        sm_lock_take(&shelf->lock);
        list_add(shelf, page);
    }
    while (got < want && shelf->partial) {
        uint32_t page = shelf->partial;
        got += take_slots(page, slots + got, want - got);
        if (sm_arena.pages[page].free_count == 0)
            list_remove(shelf, page);
    }
    sm_lock_drop(&shelf->lock);
    return got;
}

static uint32_t run_of(const void *p)
{
    uint32_t page = sm_page_number(p);

    return page - (sm_arena.pages[page].use == SM_USE_BODY ? sm_arena.pages[page].back : 0);
}

static unsigned slot_of(uint32_t page, const void *p)
{
    uint64_t offset = (uint64_t)((const char *)p - sm_page_address(page));

    return (unsigned)(offset * sm_classes[sm_arena.pages[page].class].magic >> 32);
}

/* An empty run leaves unless it is its class's only stock. */
static bool put_slot(struct shelf *shelf, uint32_t page, const void *p)
{
    struct sm_page *run = &sm_arena.pages[page];
    unsigned slot = slot_of(page, p);

    run->free_slots[slot / 64] |= 1ULL << (slot % 64);
    run->free_count++;
    if (!run->listed)
        list_add(shelf, page);
    if (run->free_count < sm_classes[run->class].slots ||
        (shelf->partial == page && !run->next))
        return false;
    list_remove(shelf, page);
    return true;
}

void sm_slab_return(unsigned part, unsigned class, void **slots, unsigned count)
{
    struct shelf *shelf = &shelves[part][class];

    if (!count)
        return;
    sm_lock_take(&shelf->lock);
    for (unsigned i = 0; i < count; i++) {
        uint32_t page = run_of(slots[i]);
        /* Under the class's lock: a run that was empty is out of the lists, and ours. */
        if (put_slot(shelf, page, slots[i]))
            sm_run_give(page, sm_arena.pages[page].pages);
    }
    sm_lock_drop(&shelf->lock);
}

unsigned sm_slab_class(const void *p)
{
    return sm_arena.pages[sm_page_number(p)].class;
}

static void rebuild_run(unsigned part, uint32_t page, uint64_t *blocks, int64_t *bytes)
{
    struct sm_page *run = &sm_arena.pages[page];
    const struct sm_class *class = &sm_classes[run->class];
    char *base = sm_page_address(page);

    set_all_free(run, class->slots);
    for (unsigned slot = 0; slot < class->slots; slot++) {
        uint16_t state = *sm_state_of(base + slot * class->size);
        if (!sm_state_live(state))
            continue;
        run->free_slots[slot / 64] &= ~(1ULL << (slot % 64));
        run->free_count--;
        (*blocks)++;
        *bytes += state;
    }
    run->listed = false;
    if (run->free_count == class->slots) {
        for (unsigned i = 0; i < class->pages; i++)
            run[i].use = SM_USE_NONE;
    } else if (run->free_count) {
        list_add(&shelves[part][run->class], page);
    }
}

void sm_slab_rebuild(unsigned part, uint64_t *blocks, int64_t *bytes)
{
    for (unsigned c = 0; c < SM_CLASSES; c++) {
        sm_lock_reset(&shelves[part][c].lock);
        shelves[part][c].partial = 0;
    }
    for (uint32_t p = sm_arena.part[part].first; p < sm_arena.part[part].frontier; p++) {
        struct sm_page *page = &sm_arena.pages[p];
        if (page->use == SM_USE_SLAB) {
            rebuild_run(part, p, blocks, bytes);
        } else if (page->use == SM_USE_LARGE) {
            (*blocks)++;
            *bytes += (int64_t)sm_large_size(p);
        }
    }
}

void sm_slab_lock_all(void)
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        for (unsigned c = 0; c < SM_CLASSES; c++)
            sm_lock_take(&shelves[p][c].lock);
    }
}

void sm_slab_unlock_all(void)
{
    for (unsigned p = SM_PARTS; p-- > 0;) {
        for (unsigned c = SM_CLASSES; c-- > 0;)
            sm_lock_drop(&shelves[p][c].lock);
    }
}
