/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of one partition, in the sizes at which the heap's rules change. */
#ifndef UNIT_HEAP_BLOCKS_H
#define UNIT_HEAP_BLOCKS_H

#include "heap/malloc.h"
#include "support.h"

#define PART SM_PART_KEY

static const size_t sizes[] = {1,    2,    7,    8,    9,    15,   16,   17,
                               100,  240,  254,  255,  256,  257,  300,  640,
                               1000, 4095, 4096, 5000, 8190, 8191, 8193, 20000};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static inline unsigned char *take(size_t n)
{
    unsigned char *p = sm_malloc(n, PART);

    CHECK(p != NULL);
    return p;
}

#endif
