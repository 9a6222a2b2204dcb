/* SPDX-License-Identifier: Apache-2.0 */
/* What replay-trace asks of the benchmark's own build of the preload object. */
#include "arena/arena.h"
#include "heap/malloc.h"
#include "heap/slab.h"

size_t bench_slot_size(const void *p);

/* Bytes of the place that a live block lies in: its slot, or its pages. */
SM_EXPORT size_t bench_slot_size(const void *p)
{
    size_t size = sm_usable_size(p);

    if (!sm_arena_owns(p))
        return size;
    if (*sm_state_of(p) == SM_STATE_LARGE)
        return sm_round_up(size, SM_PAGE);
    return sm_classes[sm_slab_class(p)].size;
}
