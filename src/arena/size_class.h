/* SPDX-License-Identifier: Apache-2.0 */
/* Size classes: multiples of 16 up to 256 bytes, then four to a doubling up to 8 KiB. */
#ifndef SM_ARENA_SIZE_CLASS_H
#define SM_ARENA_SIZE_CLASS_H

#include "base/common.h"
#include "base/memory_kind.h"

#define SM_GRANULE       16
#define SM_GRANULE_SHIFT 4
#define SM_SLOT_MAX      8192
#define SM_CLASSES       35
#define SM_SLOTS_MAX     256 /* in one page run */

#define SM_PAGE       ((size_t)4096) /* the unit of page runs, whatever the kernel's page is */
#define SM_PAGE_SHIFT 12

#ifndef SM_CHECK_SLACK
#define SM_CHECK_SLACK 1 /* an overrun by one byte is found when the block is freed */
#endif
#ifndef SM_SHUFFLE
#define SM_SHUFFLE 1 /* slots are given out in random order */
#endif
/* The largest block that is a slot; each has a byte more, for the canary (canary.h). */
#define SM_SMALL_MAX (SM_SLOT_MAX - SM_CHECK_SLACK)

struct sm_class {
    uint16_t size;  /* bytes */
    uint8_t pages;  /* of a run that is not the first */
    uint8_t cached; /* slots that a thread cache keeps at most */
    uint16_t slots; /* in such a run */
    uint32_t
        magic; /* (uint64_t)offset * magic >> 32 is offset / size, for offsets within a run */
};

extern SM_LOCAL struct sm_class sm_classes[SM_CLASSES];
extern SM_LOCAL uint8_t sm_class_of[SM_SLOT_MAX / SM_GRANULE + 1]; /* of so many granules */

/* Fills the tables. Once, before anything else here. */
void sm_size_class_init(void);

/* The class of blocks of n bytes: 1 to SM_SMALL_MAX */
static inline unsigned sm_size_class(size_t n)
{
    return sm_class_of[(n + SM_CHECK_SLACK + SM_GRANULE - 1) >> SM_GRANULE_SHIFT];
}

/*
 * Bin 0 is nobody's, and so are pages that hold no slots: it is empty and full at once, and
 * both paths go slow.
 */
#define SM_BINS (1 + SM_CLASSES * SM_PARTS)

static inline unsigned sm_bin_of(unsigned part, unsigned class)
{
    return 1 + class * SM_PARTS + part;
}

#endif
