/* SPDX-License-Identifier: Apache-2.0 */
/* Writes on and on behind a large block. Every byte of the block's own pages can be written. */
#include "bug.h"

void bug(void)
{
    char *block = take(size);

    expect(block + (size + 4095) / 4096 * 4096);
    for (size_t i = 0; i < size + (wrong ? 65536 : 0); i++)
        poke(block + i, 'x');
    give(block);
}
