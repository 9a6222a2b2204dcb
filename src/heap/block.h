/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a slot at the beginning and at the end of a block of any size, off the fast
 * path. */
#ifndef SM_HEAP_BLOCK_H
#define SM_HEAP_BLOCK_H

#include "base/settings.h"
#include "heap/canary.h"
#include "heap/misuse.h"
#include "heap/slab.h"
#include "os/valgrind.h"
#include "os/vector_registers.h"
#include "os/zero.h"
#include <string.h>

/* Bytes behind a block that do not belong to the program. */
static inline size_t sm_block_margin(void)
{
    return sm_on_valgrind() ? SM_MEMCHECK_REDZONE : SM_CHECK_SLACK;
}

/* Checks that nothing wrote to a slot of a class since it was freed. Not under Valgrind. */
static inline void sm_block_check_free(void *slot, unsigned class)
{
    if (SM_CHECK_REUSE && sm_settings.zero && !sm_is_zero(slot, sm_classes[class].size))
        sm_misuse_dirty(slot, sm_classes[class].size);
}

/* As sm_fast_begin and sm_fast_end, for any size. */
static inline void sm_block_begin(void *p, size_t n, unsigned class)
{
    if (!sm_on_valgrind()) {
        sm_block_check_free(p, class);
        sm_canary_set(p, n);
    }
    *sm_state_of(p) = n ? (uint16_t)n : SM_STATE_EMPTY;
}

/* Checks that nothing wrote past the end of a block in a slab. */
static inline void sm_block_check_end(void *p, size_t n)
{
    if (!sm_on_valgrind() &&
        (!sm_canary_good(p, n) || !sm_rest_good(p, n, sm_classes[sm_slab_class(p)].size)))
        sm_misuse_overrun(p);
}

static inline void sm_block_end(void *p, size_t n)
{
    bool checked = !sm_on_valgrind();

    sm_block_check_end(p, n);
    if (sm_settings.zero && checked) {
        sm_zero_dirty(p, sm_round_up(SM_EXTENT(n), SM_GRANULE));
        /* sm_zero_dirty() loaded the cleared bytes into vector registers. */
        sm_clear_vector_registers();
    } else if (sm_settings.zero) {
        memset(p, 0, n);
    }
    *sm_state_of(p) = SM_STATE_FREE;
    sm_memcheck_free(p);
}

#endif
