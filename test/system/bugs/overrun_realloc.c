/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one byte behind a block, which is resized to PLACE bytes. */
#include "bug.h"
#include <string.h>

void bug(void)
{
    char *block = take(size);

    expect(block);
    memset(block, 'b', size);
    poke(block + size - (wrong ? 0 : 1), 0);
    give(resize(block, (size_t)place));
}
