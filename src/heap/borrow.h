/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which partition may take a block of another partition that has no room, under which settings.
 */
#ifndef SM_HEAP_BORROW_H
#define SM_HEAP_BORROW_H

#include "arena/arena.h"

/* Whether partition to may hold a block that belongs to partition from. */
bool sm_may_borrow(unsigned from, unsigned to);

#endif
