/* SPDX-License-Identifier: Apache-2.0 */
#include "stacktrace/unwind_cache.h"
#include <string.h>

#define WALKS       64
#define WALK_ENOUGH (SM_UNWIND_MAX + 16) /* including this library's own frames */

#if defined(__x86_64__)
#define ABOVE_RETURN_ADDRESS sizeof(void *)
#else
#define ABOVE_RETURN_ADDRESS 0 /* the return address lies anywhere */
#endif

static struct sm_walk {
    uint32_t busy;
    unsigned count;
    bool cut; /* there are more frames above */
    struct sm_frame frames[SM_WALK_MAX];
} walks[WALKS];

struct sm_walk *sm_walk_take(uintptr_t sp)
{
    struct sm_walk *walk = &walks[(sp >> 16 ^ sp >> 22) % WALKS];

    return __atomic_exchange_n(&walk->busy, 1, __ATOMIC_ACQUIRE) ? NULL : walk;
}

void sm_walk_drop(struct sm_walk *walk)
{
    if (walk)
        __atomic_store_n(&walk->busy, 0, __ATOMIC_RELEASE);
}

/*
 * Whether the frames of a walk are still on the stack. All memory below the end of this stack
 * is readable. The old walk may belong to another stack, which was larger or was at the same
 * place.
 */
__attribute__((no_sanitize("address", "thread"))) static bool
is_still_there(const struct sm_walk *walk, unsigned from, uintptr_t end)
{
    for (unsigned i = from; i < walk->count; i++) {
        if (walk->frames[i].sp >= end ||
            *(const uintptr_t *)(walk->frames[i].sp - ABOVE_RETURN_ADDRESS) !=
                walk->frames[i].ip)
            return false;
    }
    return true;
}

/*
 * The old walk must have reached the end of the stack, or far enough for the frames that are
 * kept of a new walk.
 */
bool sm_walk_joins(const struct sm_walk *old, const struct sm_frame *last, unsigned count,
                   unsigned *at, uintptr_t end)
{
    if (!ABOVE_RETURN_ADDRESS || !old)
        return false;
    while (*at < old->count && old->frames[*at].sp < last->sp)
        ++*at;
    return *at < old->count && old->frames[*at].sp == last->sp &&
           old->frames[*at].ip == last->ip &&
           (!old->cut || count + old->count - *at > WALK_ENOUGH) &&
           is_still_there(old, *at + 1, end);
}

unsigned sm_walk_keep(struct sm_walk *old, struct sm_frame *frames, unsigned count,
                      const unsigned *at)
{
    unsigned rest = 0;

    if (at) {
        rest = (unsigned)sm_min(old->count - *at - 1, SM_WALK_MAX - count);
        memcpy(&frames[count], &old->frames[*at + 1], rest * sizeof(*frames));
    }
    count += rest;
    if (old) {
        memcpy(old->frames, frames, count * sizeof(*frames));
        old->cut = count == SM_WALK_MAX || (at && old->cut);
        old->count = count;
    }
    return count;
}
