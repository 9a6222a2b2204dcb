/* SPDX-License-Identifier: Apache-2.0 */
/* Which partition may take a block of another that has no room, under which settings. */
#ifndef SM_HEAP_BORROW_H
#define SM_HEAP_BORROW_H

#include "arena/arena.h"

/* from: whose block it is; to: where it would lie. */
bool sm_may_borrow(unsigned from, unsigned to);

#endif
