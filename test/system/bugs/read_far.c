/* SPDX-License-Identifier: Apache-2.0 */
/* Reads 64 KiB from a large block's start on. */
#include "bug.h"

void bug(void)
{
    char *block = take(size);
    unsigned sum = 0;

    expect(block + (size + 4095) / 4096 * 4096);
    for (size_t i = 0; i < (wrong ? 65536 : size); i++)
        sum += *(volatile unsigned char *)(block + i);
    give(sum ? NULL : block);
}
