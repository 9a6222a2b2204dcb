/* SPDX-License-Identifier: Apache-2.0 */
/* Size classes: multiples of 16 up to 256 bytes, then four to a doubling up to 8 KiB. */
#ifndef SM_SIZE_CLASS_H
#define SM_SIZE_CLASS_H

#include "common.h"

#define SM_GRANULE       16
#define SM_GRANULE_SHIFT 4
#define SM_SMALL_MAX     8192
#define SM_CLASSES       35
#define SM_SLOTS_MAX     256 /* in one page run */

#define SM_PAGE       ((size_t)4096) /* the unit of page runs, whatever the kernel's page is */
#define SM_PAGE_SHIFT 12

struct sm_class {
    uint16_t size;  /* bytes */
    uint8_t pages;  /* of a run */
    uint8_t cached; /* slots that a thread cache keeps at most */
    uint16_t slots; /* in a run */
    uint32_t
        magic; /* (uint64_t)offset * magic >> 32 is offset / size, for offsets within a run */
};

extern struct sm_class sm_classes[SM_CLASSES];
extern uint8_t sm_class_of[SM_SMALL_MAX / SM_GRANULE + 1];

/* Fills the tables. Once, before anything else here. */
void sm_size_class_init(void);

/* n: 1 to SM_SMALL_MAX */
static inline unsigned sm_size_class(size_t n)
{
    return sm_class_of[(n + SM_GRANULE - 1) >> SM_GRANULE_SHIFT];
}

#endif
