/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/external_ranges.h"
#include "arena/arena.h"
#include "base/counters.h"
#include "log/lapse.h"

struct sm_external_range sm_external_ranges[SM_EXTERNAL_RANGES];
unsigned sm_external_used;
struct sm_lock sm_external_lock;

static void range_count(const struct sm_external_range *range, size_t length, bool more)
{
    long pages = (long)(length >> SM_PAGE_SHIFT);

    sm_stats_kind(range->locked ? SM_KIND_LOCKED : SM_KIND_SECRET, more ? pages : -pages);
    if (range->mlocked)
        sm_count(&sm_stats.mlock_bytes, more ? length : 0 - length);
}

static struct sm_external_range *range_unused(void)
{
    for (unsigned i = 0; i < sm_external_used; i++) {
        if (!sm_external_ranges[i].address)
            return &sm_external_ranges[i];
    }
    return sm_external_used < SM_EXTERNAL_RANGES ? &sm_external_ranges[sm_external_used] : NULL;
}

struct sm_external_range *sm_external_add(const struct sm_external_range *range)
{
    struct sm_external_range *entry = range_unused();

    if (!entry)
        return NULL;
    entry->copy = NULL;
    entry->locked = range->locked;
    entry->parental = range->parental;
    entry->mlocked = range->mlocked;
    __atomic_store_n(&entry->length, range->length, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->address, range->address, __ATOMIC_RELEASE);
    if (entry == &sm_external_ranges[sm_external_used])
        __atomic_fetch_add(&sm_external_used, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&sm_arena.external, 1, __ATOMIC_RELEASE);
    range_count(entry, entry->length, true);
    return entry;
}

void sm_external_drop(struct sm_external_range *range)
{
    range_count(range, range->length, false);
    __atomic_store_n(&range->address, NULL, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&sm_arena.external, 1, __ATOMIC_RELAXED);
}

void sm_external_cut(struct sm_external_range *range, const char *from, const char *to)
{
    struct sm_external_range tail = *range;
    char *end = range->address + range->length;

    if (from > range->address) {
        size_t length = (size_t)(from - range->address);
        range_count(range, range->length - length, false);
        __atomic_store_n(&range->length, length, __ATOMIC_RELAXED);
    } else {
        sm_external_drop(range);
    }
    if (to >= end)
        return;
    tail.address = end - (end - to);
    tail.length = (size_t)(end - to);
    if (!sm_external_add(&tail))
        sm_lapse(SM_LAPSE_HEAP_PIECES,
                 "the program's locked memory has more than %d pieces: forked children do not "
                 "get the others; report it",
                 SM_EXTERNAL_RANGES);
}

bool sm_external_has(const struct sm_external_range *range, const char *from, const char *to)
{
    const char *at = __atomic_load_n(&range->address, __ATOMIC_ACQUIRE);

    return at && at < to && from < at + __atomic_load_n(&range->length, __ATOMIC_RELAXED);
}
