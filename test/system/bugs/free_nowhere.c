/* SPDX-License-Identifier: Apache-2.0 */
/* Frees what was never allocated. PLACE: enum nowhere. */
#include "nowhere.h"

void bug(void)
{
    char *address = nowhere((enum nowhere)place);

    expect(address);
    if (wrong)
        give(address);
}
