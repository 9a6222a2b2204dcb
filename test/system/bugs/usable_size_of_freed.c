/* SPDX-License-Identifier: Apache-2.0 */
/* Asks how large a block is that is free. */
#include "bug.h"

void bug(void)
{
    char *block = take(size);

    expect(block);
    if (wrong)
        give(block);
    if (usable(block) == size)
        give(block);
}
