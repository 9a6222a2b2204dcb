/* SPDX-License-Identifier: Apache-2.0 */
/* Frees a block twice. PLACE: how many blocks are taken and freed in between. */
#include "bug.h"

void bug(void)
{
    char *block = take(size);

    expect(block);
    give(block);
    /* Of another size: the block itself is not given out again. */
    churn((unsigned)place, size + 3000);
    if (wrong)
        give(block);
}
