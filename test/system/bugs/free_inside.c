/* SPDX-License-Identifier: Apache-2.0 */
/* Frees an address PLACE bytes inside a block. */
#include "bug.h"

void bug(void)
{
    char *block = take(size);

    expect(block + place);
    if (wrong)
        give(block + place);
    give(block);
}
