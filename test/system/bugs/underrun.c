/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the byte before a block. PLACE: 0, the block before it is live, and freed then; 1,
 * the slot before it is free, and given out then; 2, both are large.
 */
#include "bug.h"
#include <stdlib.h>

#define BLOCKS 300

static void *blocks[BLOCKS];

static int by_address(const void *a, const void *b)
{
    const char *left = *(char *const *)a, *right = *(char *const *)b;

    return left < right ? -1 : left > right;
}

/* Two neighbours: the second follows the first, as close as blocks of a size lie. */
static char *neighbours(void)
{
    size_t slot = (size + 1 + 15) / 16 * 16;

    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = take(size);
    qsort(blocks, BLOCKS, sizeof(blocks[0]), by_address);
    for (int i = 1; i < BLOCKS; i++) {
        if ((char *)blocks[i] - (char *)blocks[i - 1] == (long)slot)
            return blocks[i];
    }
    exit(2);
}

static void large(void)
{
    char *first = take(size), *second = take(size);

    expect(second - 1);
    poke(wrong ? second - 1 : second, 'u');
    give(second);
    give(first);
}

void bug(void)
{
    char *second, *first;

    if (place == 2) {
        large();
        return;
    }
    second = neighbours();
    first = second - (size + 1 + 15) / 16 * 16;
    expect(place ? second - 1 : first);
    if (place)
        give(first);
    /* Even: every byte that guards a block is odd, and nothing would be overwritten. */
    poke(wrong ? second - 1 : second, 'v');
    if (!place)
        give(first);
    churn(400, size);
}
