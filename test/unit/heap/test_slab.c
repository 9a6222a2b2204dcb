/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/page_runs.h"
#include "heap/slab.h"
#include "heap/thread_cache.h"
#include "support.h"
#include <criterion/criterion.h>
#include <string.h>

#define PART SM_PART_KEY

static void init(void)
{
    start_heap_of(8 * SM_MIB);
    cr_assert(sm_arena_init());
}

TestSuite(slab, .init = init);

static void live(void *slot, size_t n)
{
    *sm_state_of(slot) = (uint16_t)n;
}

static void dead(void *slot)
{
    *sm_state_of(slot) = SM_STATE_FREE;
}

static uint32_t used_pages(void)
{
    const struct sm_partition *part = &sm_arena.part[PART];

    return part->top - part->first - part->free_pages;
}

/* Two runs of every class: apart, zero, in the right place, and told back to their class. */
Test(slab, slots)
{
    for (unsigned c = 0; c < SM_CLASSES; c++) {
        const struct sm_class *class = &sm_classes[c];
        unsigned count = 2 * class->slots;
        void *slots[2 * SM_SLOTS_MAX];
        for (unsigned i = 0; i < count; i++) {
            cr_assert_eq(sm_slab_fetch(PART, c, 0, &slots[i], 1), 1);
            cr_assert_eq((uintptr_t)slots[i] % SM_GRANULE, 0);
            cr_assert_eq(sm_slab_class(slots[i]), c);
            cr_assert(all_bytes(slots[i], 0, class->size));
            memset(slots[i], (int)(i % 255 + 1), class->size);
            live(slots[i], class->size);
        }
        for (unsigned i = 0; i < count; i++) {
            cr_assert(all_bytes(slots[i], (unsigned char)(i % 255 + 1), class->size));
            memset(slots[i], 0, class->size);
            dead(slots[i]);
        }
        sm_slab_return(PART, c, slots, count);
    }
}

Test(slab, powers_of_two_are_aligned)
{
    for (size_t size = 16; size <= 4096; size *= 2) {
        void *slots[8];
        unsigned class = sm_size_class(size - SM_CHECK_SLACK);
        unsigned got = sm_slab_fetch(PART, class, 0, slots, 8);
        cr_assert_gt(got, 0);
        for (unsigned i = 0; i < got; i++)
            cr_assert_eq((uintptr_t)slots[i] % size, 0, "%zu", size);
    }
}

Test(slab, many_at_once)
{
    unsigned class = sm_size_class(8);
    void *slots[SM_SLOTS_MAX];
    char *page = sm_page_address(sm_arena.part[PART].first);
    bool seen[SM_SLOTS_MAX] = {false};

    cr_assert_eq(sm_classes[class].size, 16);
    cr_assert_eq(sm_slab_fetch(PART, class, 0, slots, 200), 200);
    cr_assert_eq(sm_slab_fetch(PART, class, 0, slots + 200, 56), 56);
    for (unsigned i = 0; i < SM_SLOTS_MAX; i++) {
        size_t at = (size_t)((char *)slots[i] - page);
        cr_assert(at < SM_PAGE && at % 16 == 0);
        cr_assert(!seen[at / 16], "given out twice");
        seen[at / 16] = true;
    }
    cr_assert_eq(sm_arena.part[PART].top, sm_arena.part[PART].first + 1, "one page");
}

/* A run that is empty goes back to the arena, but the last one stays as stock. */
Test(slab, empty_runs_leave)
{
    unsigned class = sm_size_class(64), count = 10 * sm_classes[class].slots;
    static void *slots[10 * SM_SLOTS_MAX];

    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(sm_slab_fetch(PART, class, 0, &slots[i], 1), 1);
        live(slots[i], 64);
    }
    cr_assert_eq(used_pages(), 10U * sm_classes[class].pages);
    for (unsigned i = 0; i < count; i++) {
        dead(slots[i]);
        sm_slab_return(PART, class, &slots[i], 1);
    }
    cr_assert_eq(used_pages(), sm_classes[class].pages);
}

/* First what is there already: holes in old runs, before a new run. */
Test(slab, holes_are_filled)
{
    unsigned class = sm_size_class(64), count = 4 * sm_classes[class].slots, refilled = 0;
    static void *slots[4 * SM_SLOTS_MAX];
    uint32_t used;
    void *slot;

    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(sm_slab_fetch(PART, class, 0, &slots[i], 1), 1);
        live(slots[i], 64);
    }
    used = used_pages();
    for (unsigned i = 0; i < count; i += 2) {
        dead(slots[i]);
        sm_slab_return(PART, class, &slots[i], 1);
    }
    for (; used_pages() == used && refilled <= count; refilled++)
        cr_assert_eq(sm_slab_fetch(PART, class, 0, &slot, 1), 1);
    cr_assert_eq(refilled, count / 2 + 1);
}

Test(slab, exhausted)
{
    unsigned class = sm_size_class(SM_SMALL_MAX);
    unsigned n = 0;
    void *slot;

    for (; sm_slab_fetch(PART, class, 0, &slot, 1) == 1; n++)
        live(slot, SM_SMALL_MAX);
    cr_assert_eq(n, 8 * SM_MIB / 8192);
    dead(slot);
    sm_slab_return(PART, class, &slot, 1);
    cr_assert_eq(sm_slab_fetch(PART, class, 0, &slot, 1), 1);
}

/* What no state calls live is free after a rebuild, wherever it was. */
Test(slab, rebuild)
{
    unsigned class = sm_size_class(100), slots_in_run = sm_classes[class].slots;
    static void *slots[3 * SM_SLOTS_MAX], *again[3 * SM_SLOTS_MAX];
    unsigned count = 3 * slots_in_run, kept = 0;
    uint64_t blocks = 0;
    int64_t bytes = 0;

    for (unsigned i = 0; i < count; i++)
        cr_assert_eq(sm_slab_fetch(PART, class, 0, &slots[i], 1), 1);
    /* The third run is all free; of the others every third slot is live. */
    for (unsigned i = 0; i < 2 * slots_in_run; i += 3, kept++)
        live(slots[i], 100);
    for (unsigned i = 2 * slots_in_run; i < count; i++)
        dead(slots[i]);
    sm_slab_rebuild(PART, &blocks, &bytes);
    sm_partition_rebuild(PART);
    cr_assert_eq(blocks, kept);
    cr_assert_eq(bytes, 100 * kept);
    cr_assert_eq(used_pages(), 2U * sm_classes[class].pages);
    for (unsigned i = 0; i < 2 * slots_in_run - kept; i++) {
        cr_assert_eq(sm_slab_fetch(PART, class, 0, &again[i], 1), 1);
        cr_assert_eq(*sm_state_of(again[i]) & ~SM_STATE_FREE, 0, "a live slot");
        live(again[i], 1);
    }
    cr_assert_eq(used_pages(), 2U * sm_classes[class].pages);
    cr_assert_eq(sm_slab_fetch(PART, class, 0, &again[0], 1), 1);
    cr_assert_eq(used_pages(), 3U * sm_classes[class].pages);
}

/* Each shard has runs of its own; a slot goes back to the run it came from, whoever calls. */
Test(slab, shards_are_apart)
{
    unsigned class = sm_size_class(64), count = 3 * sm_classes[class].slots;
    static void *slots[SM_SHARDS][3 * SM_SLOTS_MAX];
    uint32_t used;

    for (unsigned i = 0; i < count; i++) {
        for (unsigned s = 0; s < SM_SHARDS; s++) {
            cr_assert_eq(sm_slab_fetch(PART, class, s, &slots[s][i], 1), 1);
            cr_assert_eq(sm_arena.pages[sm_page_number(slots[s][i])].shard, s);
            live(slots[s][i], 64);
        }
    }
    used = used_pages();
    cr_assert_eq(used, SM_SHARDS * 3U * sm_classes[class].pages);
    for (unsigned i = 0; i < count; i += 2) {
        for (unsigned s = 0; s < SM_SHARDS; s++)
            dead(slots[s][i]);
    }
    /* Mixed, as a thread that frees for others has them */
    for (unsigned i = 0; i < count; i += 2) {
        void *mixed[SM_SHARDS];
        for (unsigned s = 0; s < SM_SHARDS; s++)
            mixed[s] = slots[s][i];
        sm_slab_return(PART, class, mixed, SM_SHARDS);
    }
    for (unsigned i = 0; i < count; i += 2) {
        cr_assert_eq(sm_slab_fetch(PART, class, 2, &slots[2][i], 1), 1);
        cr_assert_eq(sm_arena.pages[sm_page_number(slots[2][i])].shard, 2);
    }
    cr_assert_eq(used_pages(), used, "its own holes were filled");
    cr_assert_eq(sm_slab_fetch(PART, class, 2, &slots[2][0], 1), 1);
    cr_assert_eq(used_pages(), used + sm_classes[class].pages, "and nobody else's");
}

/* Every slot comes first about as often: the next one is anybody's guess. */
Test(slab, random_order)
{
    unsigned class = sm_size_class(64), slots = sm_classes[class].slots;
    static unsigned first[SM_SLOTS_MAX];
    unsigned rounds = 200 * slots;

    for (unsigned i = 0; i < rounds; i++) {
        void *slot;
        cr_assert_eq(sm_slab_fetch(PART, class, 0, &slot, 1), 1);
        first[(size_t)((char *)slot - sm_page_address(sm_page_number(slot))) /
              sm_classes[class].size]++;
        dead(slot);
        sm_slab_return(PART, class, &slot, 1);
    }
    cr_assert_eq(sm_classes[class].pages, 1);
    /* 200 are expected of each; 10 standard deviations are 141. */
    for (unsigned i = 0; i < slots; i++)
        cr_assert(first[i] > 60 && first[i] < 340, "slot %u: %u times", i, first[i]);
}

static uint32_t run_of(const void *slot)
{
    uint32_t page = sm_page_number(slot);

    return page - (sm_arena.pages[page].use == SM_USE_BODY ? sm_arena.pages[page].back : 0);
}

/* All slots of one new run. Returns how many. */
static unsigned take_run(unsigned class, void **slots)
{
    const struct sm_page *run;
    unsigned count;

    cr_assert_eq(sm_slab_fetch(PART, class, 0, slots, 1), 1);
    run = &sm_arena.pages[run_of(slots[0])];
    count = sm_slab_slots(run);
    cr_assert_eq(count, run->pages * SM_PAGE / sm_classes[class].size);
    cr_assert_leq(count, SM_SLOTS_MAX);
    for (unsigned i = 1; i < count; i++)
        cr_assert_eq(sm_slab_fetch(PART, class, 0, &slots[i], 1), 1);
    cr_assert_eq(run->free_count, 0);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(&sm_arena.pages[run_of(slots[i])], run);
        live(slots[i], 1);
    }
    return count;
}

/* Of a run with one free slot, that is found. */
Test(slab, last_free_slot)
{
    for (unsigned c = 0; c < SM_CLASSES; c++) {
        void *slots[SM_SLOTS_MAX], *again;
        unsigned count = take_run(c, slots);
        for (unsigned i = 0; i < count && count > 1; i++) {
            dead(slots[i]);
            sm_slab_return(PART, c, &slots[i], 1);
            cr_assert_eq(sm_slab_fetch(PART, c, 0, &again, 1), 1);
            cr_assert_eq(again, slots[i]);
            live(again, 1);
        }
    }
}

/* The table from which free learns a page's bin: all pages of a run, and only as long. */
Test(slab, bins)
{
    for (unsigned c = 0; c < SM_CLASSES; c++) {
        void *slots[2 * SM_SLOTS_MAX];
        unsigned first = take_run(c, slots), count = first + take_run(c, slots + first);
        uint32_t runs[2] = {run_of(slots[0]), run_of(slots[first])}, pages[2], stay = 0;
        for (int r = 0; r < 2; r++) {
            pages[r] = sm_arena.pages[runs[r]].pages;
            for (uint32_t i = 0; i < pages[r]; i++)
                cr_assert_eq(sm_bin_at(sm_page_address(runs[r] + i)), sm_bin_of(PART, c));
        }
        for (unsigned i = 0; i < count; i++)
            dead(slots[i]);
        sm_slab_return(PART, c, slots, count);
        for (int r = 0; r < 2; r++) {
            bool slab = sm_arena.pages[runs[r]].use == SM_USE_SLAB;
            stay += slab;
            for (uint32_t i = 0; i < pages[r]; i++)
                cr_assert_eq(sm_bin_at(sm_page_address(runs[r] + i)),
                             slab ? sm_bin_of(PART, c) : 0);
        }
        cr_assert_leq(stay, 1, "one at most stays as stock");
    }
}

Test(slab, partitions_are_apart)
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        void *slot;
        cr_assert_eq(sm_slab_fetch(p, 3, 0, &slot, 1), 1);
        cr_assert_eq(sm_part_of(slot), p);
    }
}
