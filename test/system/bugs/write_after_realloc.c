/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to where a block was before it moved. */
#include "bug.h"

void bug(void)
{
    char *block = take(size), *moved = resize(block, size * 4);

    expect(block + size / 2);
    poke((wrong ? block : moved) + size / 2, 'w');
    churn(400, size);
    give(moved);
}
