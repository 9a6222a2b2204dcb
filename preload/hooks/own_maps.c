/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/own_maps.h"
#include "base/common.h"

#define MAPS       64
#define PAGE_SHIFT 12 /* the smallest page of any kernel */
#define COUNT_BITS 15 /* of pages */

/*
 * A mapping is one word, which is read and written at once: the number of its first page, and
 * its number of pages behind. 0: none.
 */
_Static_assert((OWN_MAPS_LARGEST >> PAGE_SHIFT) < 1 << COUNT_BITS, "the number fits");
static uint64_t maps[MAPS];
static uint32_t next_map;

struct pages {
    uint64_t from, to; /* numbers of pages */
};

static struct pages own_pages(const void *address, size_t length)
{
    uintptr_t from = (uintptr_t)address;

    return (struct pages){from >> PAGE_SHIFT,
                          (from + length + ((uintptr_t)1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT};
}

static struct pages map_at(unsigned i)
{
    uint64_t word = __atomic_load_n(&maps[i], __ATOMIC_RELAXED);
    uint64_t from = word >> COUNT_BITS;

    return (struct pages){from, from + (word & ((1 << COUNT_BITS) - 1))};
}

static void map_set(unsigned i, struct pages pages)
{
    uint64_t word =
        pages.from < pages.to ? pages.from << COUNT_BITS | (pages.to - pages.from) : 0;

    __atomic_store_n(&maps[i], word, __ATOMIC_RELAXED);
}

void own_maps_add(const void *address, size_t length)
{
    if (length == 0 || length > OWN_MAPS_LARGEST)
        return;
    map_set(__atomic_fetch_add(&next_map, 1, __ATOMIC_RELAXED) % MAPS,
            own_pages(address, length));
}

/* An allocator may map more than it needs and unmap both ends. */
void own_maps_remove(const void *address, size_t length)
{
    struct pages gone = own_pages(address, length);

    for (unsigned i = 0; i < MAPS; i++) {
        struct pages map = map_at(i);
        if (map.to <= gone.from || gone.to <= map.from)
            continue;
        if (gone.from > map.from && gone.to < map.to)
            map.to = map.from;
        else if (gone.from <= map.from)
            map.from = gone.to;
        else
            map.to = gone.from;
        map_set(i, map);
    }
}

bool own_maps_has(const void *address, size_t length)
{
    struct pages range = own_pages(address, length);

    for (unsigned i = 0; i < MAPS; i++) {
        struct pages map = map_at(i);
        if (map.from <= range.from && range.to <= map.to)
            return 4 * (range.to - range.from) >= map.to - map.from;
    }
    return false;
}
