/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/toolkit_hooks.h"
#include "arena/arena.h"
#include "arena/shortage.h"
#include "base/settings.h"
#include "heap/fallback.h"
#include "heap/malloc.h"
#include "hooks/partition.h"
#include "start.h"
#include <errno.h>
#include <string.h>

static void *toolkit_take(size_t size, unsigned part)
{
    void *p = NULL;

    if (sm_likely(start_ready())) {
        p = sm_malloc(size, part);
    } else {
        start_count_early();
        sm_short_of(SM_SHORT_EARLY);
        if (sm_may_fall_back(part))
            p = sm_fallback_alloc(size + (size == 0), 1);
    }
    if (!p)
        errno = ENOMEM;
    return p;
}

void *toolkit_malloc(size_t size)
{
    return toolkit_take(size, SM_PART_KEY);
}

void *toolkit_secure_malloc(size_t size)
{
    return toolkit_take(size, SM_PART_BYTES);
}

/* The partition tells. A block that another partition lent counts as one that is not. */
int toolkit_is_secure(const void *p)
{
    return sm_arena_owns(p) && sm_part_of(p) == SM_PART_BYTES;
}

void toolkit_free(void *p)
{
    if (!p)
        return;
    if (!sm_settings.zero && sm_arena_owns(p))
        explicit_bzero(p, sm_usable_size(p));
    sm_free(p);
}

static void *toolkit_move(void *p, size_t size)
{
    void *to = toolkit_take(size, sm_part_of(p));

    if (!to)
        return NULL;
    memcpy(to, p, sm_min(size, sm_usable_size(p)));
    toolkit_free(p);
    return to;
}

void *toolkit_realloc(void *p, size_t size)
{
    void *to;

    if (!p)
        return toolkit_malloc(size);
    if (!sm_settings.zero && sm_arena_owns(p))
        return toolkit_move(p, size);
    to = sm_realloc(p, size);
    if (!to)
        errno = ENOMEM;
    return to;
}
