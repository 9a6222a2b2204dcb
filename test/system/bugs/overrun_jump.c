/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one byte PLACE bytes behind a block's end, and none of those between. */
#include "bug.h"

void bug(void)
{
    char *block = take(size);

    expect(block);
    if (wrong)
        poke(block + size + place, 'x');
    give(block);
}
