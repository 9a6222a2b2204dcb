/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses among secret memory that no allocation ever returned. */
#ifndef NOWHERE_H
#define NOWHERE_H

#include "bug.h"
#include <stdint.h>
#include <stdlib.h>

enum nowhere {
    IN_A_USED_PAGE,    /* behind the last of its blocks */
    IN_AN_UNUSED_PAGE, /* of memory that was used and is free */
    BEYOND_THE_MAPPED,
    IN_A_GUARD,
};

static inline char *nowhere(enum nowhere where)
{
    uintptr_t page = 4095;
    char *block;

    switch (where) {
    case IN_A_USED_PAGE:
        /* 36 slots of 112 bytes leave 64 of a page. */
        return (char *)(((uintptr_t)take(100) | page) - 15);
    case IN_AN_UNUSED_PAGE:
        block = take(1 << 20);
        give(block);
        return block + (1 << 19);
    case BEYOND_THE_MAPPED:
        return (char *)take(100) + (64 << 20);
    case IN_A_GUARD:
        return (char *)take(20480) + 20480;
    }
    exit(2);
}

#endif
