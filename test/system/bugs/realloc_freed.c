/* SPDX-License-Identifier: Apache-2.0 */
/* Resizes a block that is free. */
#include "bug.h"

void bug(void)
{
    char *block = take(size);

    expect(block);
    if (wrong)
        give(block);
    block = resize(block, size * 2);
    give(block);
}
