/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/empty_blocks.h"
#include "arena/grow.h"
#include "os/random.h"

static char *page_without_memory(unsigned p)
{
    return sm_page_address(p * sm_part_pages());
}

/* The state at each address is all that there is of a block. */
static void *empty_take_at(unsigned p, unsigned from)
{
    for (unsigned i = 0; i < SM_STATES_PER_PAGE; i++) {
        char *at = page_without_memory(p) + (from + i) % SM_STATES_PER_PAGE * SM_GRANULE;
        uint16_t state = __atomic_load_n(sm_state_at(at), __ATOMIC_RELAXED);
        if (state == SM_STATE_NOTHING)
            continue;
        __atomic_store_n(sm_state_at(at), SM_STATE_NOTHING, __ATOMIC_RELAXED);
        return at;
    }
    return NULL;
}

void *sm_empty_block_take(unsigned p)
{
    struct sm_lock *lock = &sm_arena.part[p].lock;
    static uint64_t random[SM_PARTS]; /* each guarded by its partition's lock */
    void *at = NULL;

    sm_lock_take(lock);
    /* The states of the first page are in the same kernel page as those behind it. */
    if (sm_backing_begin(p))
        at = empty_take_at(p, sm_random_below(&random[p], SM_STATES_PER_PAGE));
    sm_lock_drop(lock);
    return at;
}

unsigned sm_empty_blocks(unsigned p)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SM_STATES_PER_PAGE; i++)
        count += *sm_state_at(page_without_memory(p) + i * SM_GRANULE) == SM_STATE_NOTHING;
    return count;
}
