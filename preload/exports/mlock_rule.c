/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/mlock_rule.h"
#include "arena/arena.h"
#include "base/counters.h"
#include "base/settings.h"
#include "hooks/own_maps.h"
#include "os/page_access.h"
#include "os/pages.h"

/* Makes the pages resident, too. */
static bool is_accessible(char *address, size_t length)
{
    for (size_t at = 0; at < length; at += sm_os_page) {
        if (sm_page_access(address + at) != SM_ACCESS_WRITE)
            return false;
    }
    return true;
}

static bool is_over_cap(size_t length)
{
    size_t mapped = __atomic_load_n(&sm_arena.mapped, __ATOMIC_RELAXED);

    return length > LOCK_LARGEST ||
           mapped + sm_counted(&sm_stats.mlock_bytes) + length > sm_settings.arena_size;
}

enum lock_rule lock_judge(char *address, size_t length, const void *stack)
{
    if ((uintptr_t)stack - (uintptr_t)address < length || !own_maps_has(address, length))
        return LOCK_OTHERS;
    if (is_over_cap(length))
        return LOCK_LARGE;
    return is_accessible(address, length) ? LOCK_MEANT : LOCK_OTHERS;
}
