/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/size_class.h"

struct sm_class sm_classes[SM_CLASSES];
uint8_t sm_class_of[SM_SLOT_MAX / SM_GRANULE + 1];

/*
 * Returns 1 to 4 pages: the shortest run that wastes at most a sixteenth, otherwise the run
 * that wastes least.
 */
static unsigned run_pages(size_t size)
{
    unsigned best = 0;
    size_t best_waste = SIZE_MAX;

    for (unsigned pages = 1; pages <= 4; pages++) {
        size_t bytes = pages * SM_PAGE;
        size_t waste;
        if (bytes < size || bytes / size > SM_SLOTS_MAX)
            continue;
        waste = bytes % size * 12 / pages; /* per dozen pages */
        if (bytes % size * 16 <= bytes)
            return pages;
        if (waste < best_waste) {
            best_waste = waste;
            best = pages;
        }
    }
    return best;
}

static unsigned cached_slots(size_t size)
{
    size_t slots = 4096 / size;

    return (unsigned)(slots > 32 ? 32 : slots < 1 ? 1 : slots);
}

static size_t next_size(size_t size)
{
    size_t step = SM_GRANULE;

    if (size >= 256)
        step = (size_t)1 << (61 - __builtin_clzl(size)); /* a quarter of the power below */
    size += step;
    return size == 7168 ? 8192 : size; /* 7168 would waste an eighth of its runs */
}

void sm_size_class_init(void)
{
    size_t size = 0;

    for (unsigned c = 0; c < SM_CLASSES; c++) {
        size_t from = size / SM_GRANULE + 1;
        struct sm_class *class = &sm_classes[c];
        size = next_size(size);
        class->size = (uint16_t)size;
        class->pages = (uint8_t)run_pages(size);
        class->slots = (uint16_t)(class->pages * SM_PAGE / size);
        class->cached = (uint8_t)cached_slots(size);
        class->magic = (uint32_t)(((1ULL << 32) + size - 1) / size);
        for (size_t g = from; g <= size / SM_GRANULE; g++)
            sm_class_of[g] = (uint8_t)c;
    }
    sm_class_of[0] = 0;
}
