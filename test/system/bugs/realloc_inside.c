/* SPDX-License-Identifier: Apache-2.0 */
/* Resizes an address PLACE bytes inside a block. */
#include "bug.h"

void bug(void)
{
    char *block = take(size);

    expect(block + place);
    block = resize(wrong ? block + place : block, size + 1);
    give(block);
}
