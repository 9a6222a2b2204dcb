/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the byte at PLACE of a block that is free, which is given out again then. */
#include "bug.h"

void bug(void)
{
    char *block = take(size);

    expect(block + place);
    if (!wrong)
        poke(block + place, 'w');
    give(block);
    if (wrong)
        poke(block + place, 'w');
    churn(400, size);
}
