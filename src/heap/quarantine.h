/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SECRETSSL_QUARANTINE: freed blocks are held back for a while, so that no block soon has the
 * address of one that was freed. What was written to one meanwhile is found when it leaves;
 * large ones have no access meanwhile. See docs/heap.md, "Quarantine".
 */
#ifndef SM_HEAP_QUARANTINE_H
#define SM_HEAP_QUARANTINE_H

#include "base/settings.h"
#include "heap/slab.h"

static inline bool sm_quarantine_is_on(void)
{
    return sm_unlikely(sm_settings.quarantine != 0);
}

/*
 * Holds back a slot whose state is FREE, for threads of a shard, and gives others back to the
 * slabs for it. Returns false if the slot is not held. Thread-safe; called inside the
 * allocator.
 */
bool sm_quarantine_slot(void *slot, unsigned shard);

/* The same for a large block's run, which is zeroed and has a guard behind it. */
bool sm_quarantine_run(uint32_t page, unsigned shard);

/* Gives everything back. Returns whether there was anything. Thread-safe. */
bool sm_quarantine_flush(void);

#endif
