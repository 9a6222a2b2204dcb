/* SPDX-License-Identifier: Apache-2.0 */
#include "api/own_wiped.h"
#include "api/own_seal.h"
#include "arena/wiped.h"
#include "process/wipe_handler.h"
#include <errno.h>

static bool own_owns(const void *p)
{
    const struct secretmem_arena *arena = sm_own_arena_of(p);

    return arena && arena->kind == SM_KIND_SECRET;
}

/*
 * Whether an arena that this thread has open, or that is not sealed, is wiped. Another thread
 * may destroy it, or have begun to seal it, which is seen in the entry before it loses access.
 */
static bool open_is_wiped(const struct secretmem_arena *arena, const char *start)
{
    enum sm_own_seal seal = arena->seal;

    if (!sm_is_wiped(start))
        return false;
    sm_full_barrier();
    return __atomic_load_n(&arena->start, __ATOMIC_ACQUIRE) == start && arena->seal == seal;
}

/*
 * Returns 1 if an arena, or the memory of a descriptor, is wiped, 0 if not, and -EACCES if that
 * cannot be seen: without protection keys opening an arena concerns all threads, and takes
 * locks. touch: and touches what is wiped.
 */
static int own_is_wiped(struct secretmem_arena *arena, bool touch)
{
    const char *start = __atomic_load_n(&arena->start, __ATOMIC_ACQUIRE);
    bool opened = false;
    int result;

    if (!start || arena->kind != SM_KIND_SECRET)
        return 0;
    if (arena->seal != SM_OWN_NOT_SEALED && !sm_own_is_open(arena)) {
        if (arena->seal == SM_OWN_SEALED_BY_MPROTECT || sm_own_open(arena) != 0)
            return -EACCES;
        opened = true;
    }
    result = open_is_wiped(arena, start);
    if (result && touch)
        sm_wiped_touch_at(start);
    if (opened)
        sm_own_close(arena);
    return result;
}

/* What a child of fork copies. */
static void own_touch(void)
{
    for (size_t i = 0; i < SM_OWN_ARENAS; i++) {
        if (sm_own_arenas[i].inherited)
            own_is_wiped(&sm_own_arenas[i], true);
    }
}

void sm_own_wiped_init(void)
{
    sm_wipe_owns = own_owns;
    sm_wiped_touch_more = own_touch;
    sm_wipe_offered();
}

int sm_own_wiped(void)
{
    bool unseen = false;
    int result = 0;

    for (size_t i = 0; i < SM_OWN_ARENAS && result <= 0; i++) {
        result = own_is_wiped(&sm_own_arenas[i], false);
        unseen = unseen || result < 0;
    }
    return result == 1 ? 1 : unseen ? -EACCES : 0;
}
