/* SPDX-License-Identifier: Apache-2.0 */
/* Size classes: multiples of 16 up to 256 bytes, then four per doubling up to 8 KiB. */
#ifndef SM_ARENA_SIZE_CLASS_H
#define SM_ARENA_SIZE_CLASS_H

#include "base/common.h"
#include "base/memory_kind.h"

#define SM_GRANULE       16
#define SM_GRANULE_SHIFT 4
#define SM_SLOT_MAX      8192
#define SM_CLASSES       35
#define SM_SLOTS_MAX     256 /* in one page run */

#define SM_PAGE       ((size_t)4096) /* the unit of page runs, whatever the kernel's page size */
#define SM_PAGE_SHIFT 12

#ifndef SM_CHECK_SLACK
#define SM_CHECK_SLACK 1 /* an overrun by one byte is detected when the block is freed */
#endif
#ifndef SM_SHUFFLE
#define SM_SHUFFLE 1 /* slots are given out in random order */
#endif
/*
 * The largest block that fits a slot. Each block has one byte more, for the canary (canary.h).
 */
#define SM_SMALL_MAX (SM_SLOT_MAX - SM_CHECK_SLACK)

struct sm_class {
    uint16_t size;  /* bytes */
    uint8_t pages;  /* of any run but the first */
    uint8_t cached; /* the most slots that a thread cache keeps */
    uint16_t slots; /* in a run of that many pages */
    uint32_t
        magic; /* (uint64_t)offset * magic >> 32 is offset / size, for offsets within a run */
};

extern SM_LOCAL struct sm_class sm_classes[SM_CLASSES];
extern SM_LOCAL uint8_t sm_class_of[SM_SLOT_MAX / SM_GRANULE + 1]; /* indexed by granules */

/* Fills the tables. Called once, before any other function of this file. */
void sm_size_class_init(void);

/* The class of slots with room for so many bytes, at most SM_SLOT_MAX. */
static inline unsigned sm_slot_class(size_t room)
{
    return sm_class_of[(room + SM_GRANULE - 1) >> SM_GRANULE_SHIFT];
}

/* The class of blocks of n bytes, from 1 to SM_SMALL_MAX. */
static inline unsigned sm_size_class(size_t n)
{
    return sm_slot_class(n + SM_CHECK_SLACK);
}

/*
 * Bin 0 belongs to no class. Pages that hold no slots have bin 0 too. Bin 0 is empty and full
 * at once, so that both fast paths take the slow path.
 */
#define SM_BINS (1 + SM_CLASSES * SM_PARTS)

static inline unsigned sm_bin_of(unsigned part, unsigned class)
{
    return 1 + class * SM_PARTS + part;
}

#endif
