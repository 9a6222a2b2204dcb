/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one byte behind a block: 'x', or with PLACE -1 a string's terminator. */
#include "bug.h"
#include <string.h>

void bug(void)
{
    char *block = take(size);

    expect(block);
    memset(block, 'b', size);
    poke(block + size - (wrong ? 0 : 1), place ? 0 : 'x');
    give(block);
}
