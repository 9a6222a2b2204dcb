/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/mlock_rule.h"
#include "arena/arena.h"
#include "base/counters.h"
#include "base/settings.h"
#include "hooks/own_maps.h"
#include "os/page_access.h"
#include "os/pages.h"
#include "os/zero.h"
#include <sys/single_threaded.h>

#define FRESH_MOST 8 /* words */

/*
 * The program knows memory that it has mapped only now, and no other thread does unless it was
 * told. Such memory is zero but for the few words that an allocator puts at its beginning or
 * its end. A stack has more, even if it was hardly used.
 */
static bool is_fresh(const char *address, size_t length)
{
    unsigned used = 0;

    for (size_t at = 0; at < length && used <= FRESH_MOST; at += sm_os_page) {
        const uint64_t *words = (const uint64_t *)(address + at);
        if (sm_is_zero(words, sm_os_page))
            continue;
        for (size_t i = 0; i < sm_os_page / sizeof(*words); i++)
            used += words[i] != 0;
    }
    return used <= FRESH_MOST;
}

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
    if (!is_accessible(address, length))
        return LOCK_OTHERS;
    return __libc_single_threaded || is_fresh(address, length) ? LOCK_MEANT : LOCK_BUSY;
}
