/* SPDX-License-Identifier: Apache-2.0 */
#include "slab.h"
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

    return part->frontier - part->first - part->free_pages;
}

/* Two runs of every class: apart, zero, in the right place, and told back to their class. */
Test(slab, slots)
{
    for (unsigned c = 0; c < SM_CLASSES; c++) {
        const struct sm_class *class = &sm_classes[c];
        unsigned count = 2 * class->slots;
        void *slots[2 * SM_SLOTS_MAX];
        for (unsigned i = 0; i < count; i++) {
            cr_assert_eq(sm_slab_fetch(PART, c, &slots[i], 1), 1);
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
        unsigned got = sm_slab_fetch(PART, sm_size_class(size), slots, 8);
        cr_assert_gt(got, 0);
        for (unsigned i = 0; i < got; i++)
            cr_assert_eq((uintptr_t)slots[i] % size, 0, "%zu", size);
    }
}

Test(slab, many_at_once)
{
    unsigned class = sm_size_class(16);
    void *slots[32];

    cr_assert_eq(sm_slab_fetch(PART, class, slots, 32), 32);
    for (unsigned i = 1; i < 32; i++)
        cr_assert_eq((char *)slots[i], (char *)slots[0] + i * (size_t)16);
    cr_assert_eq(sm_arena.part[PART].frontier, sm_arena.part[PART].first + 1, "one page");
}

/* A run that is empty goes back to the arena, but the last one stays as stock. */
Test(slab, empty_runs_leave)
{
    unsigned class = sm_size_class(64), count = 10 * sm_classes[class].slots;
    static void *slots[10 * SM_SLOTS_MAX];

    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(sm_slab_fetch(PART, class, &slots[i], 1), 1);
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
        cr_assert_eq(sm_slab_fetch(PART, class, &slots[i], 1), 1);
        live(slots[i], 64);
    }
    used = used_pages();
    for (unsigned i = 0; i < count; i += 2) {
        dead(slots[i]);
        sm_slab_return(PART, class, &slots[i], 1);
    }
    for (; used_pages() == used && refilled <= count; refilled++)
        cr_assert_eq(sm_slab_fetch(PART, class, &slot, 1), 1);
    cr_assert_eq(refilled, count / 2 + 1);
}

Test(slab, exhausted)
{
    unsigned class = sm_size_class(8192);
    unsigned n = 0;
    void *slot;

    for (; sm_slab_fetch(PART, class, &slot, 1) == 1; n++)
        live(slot, 8192);
    cr_assert_eq(n, 8 * SM_MIB / 8192);
    dead(slot);
    sm_slab_return(PART, class, &slot, 1);
    cr_assert_eq(sm_slab_fetch(PART, class, &slot, 1), 1);
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
        cr_assert_eq(sm_slab_fetch(PART, class, &slots[i], 1), 1);
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
        cr_assert_eq(sm_slab_fetch(PART, class, &again[i], 1), 1);
        cr_assert_eq(*sm_state_of(again[i]) & ~SM_STATE_FREE, 0, "a live slot");
        live(again[i], 1);
    }
    cr_assert_eq(used_pages(), 2U * sm_classes[class].pages);
    cr_assert_eq(sm_slab_fetch(PART, class, &again[0], 1), 1);
    cr_assert_eq(used_pages(), 3U * sm_classes[class].pages);
}

Test(slab, partitions_are_apart)
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        void *slot;
        cr_assert_eq(sm_slab_fetch(p, 3, &slot, 1), 1);
        cr_assert_eq(sm_part_of(slot), p);
    }
}
