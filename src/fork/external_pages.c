/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/external_pages.h"
#include "base/counters.h"
#include "fork/external_move.h"
#include "fork/external_ranges.h"
#include "heap/thread_cache.h"
#include "os/helper_process.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/write_protect.h"
#include <errno.h>
#include <sys/single_threaded.h>

static char *end_of(const void *address, size_t length)
{
    return (char *)sm_round_up((uintptr_t)address + length, sm_os_page);
}

static char *start_of(const void *address)
{
    return (char *)((uintptr_t)address & ~(uintptr_t)(sm_os_page - 1));
}

struct exchange {
    char *copy, *address;
    size_t length;
    int error;
};

static void exchange_pages(struct exchange *job)
{
    job->error = sm_external_refresh(job->copy, job->address, job->length);
    if (job->error >= 0)
        job->error = sm_pages_move(job->copy, job->address, job->length, true);
}

/* Other threads wait if they write meanwhile, and then write to the new pages. */
static void exchange_protected(void *arg)
{
    struct exchange *job = arg;
    int fd = sm_write_protect(job->address, job->length);

    if (fd < 0)
        return;
    exchange_pages(job);
    sm_write_release(fd, job->address, job->length, job->error != 0);
}

/* EBUSY stays if there is no helper or no protection. */
static int exchange_with(char *copy, char *address, size_t length, bool alone)
{
    struct exchange job = {copy, address, length, -EBUSY};
    int error = sm_external_populate(copy, length, NULL);

    if (error)
        return error;
    if (alone || __libc_single_threaded)
        exchange_pages(&job);
    else
        sm_helper_force(exchange_protected, &job);
    return job.error;
}

static int external_take(char *address, size_t length, unsigned use)
{
    struct sm_secret_map map = {.length = length, .to_move = true};
    struct sm_external_range *range = sm_external_add(&(struct sm_external_range){
        .address = address, .length = length, .mlocked = use & SM_EXTERNAL_MLOCKED});

    if (!range)
        return -ENOSPC;
    sm_pages_raise_limit(2 * length);
    sm_pages_map_secret(&map);
    if (map.error == 0) {
        map.error = exchange_with(map.address, address, length, use & SM_EXTERNAL_ALONE);
        if (map.error)
            sm_pages_unmap(map.address, length);
    }
    if (map.error)
        sm_external_drop(range);
    return map.error;
}

int sm_external_adopt(void *address, size_t length, unsigned use)
{
    struct sm_thread_cache *cache;
    int error;

    length = sm_round_up(length, sm_os_page);
    if ((uintptr_t)address % sm_os_page || !length)
        return -EINVAL;
    /*
     * Releases the ranges recorded here before. Their pages are not moved, and are cleared when
     * they are unmapped.
     */
    sm_external_release(address, length);
    cache = sm_enter();
    sm_lock_take(&sm_external_lock);
    error = external_take(address, length, use);
    sm_lock_drop(&sm_external_lock);
    sm_leave(cache);
    return error;
}

bool sm_external_overlap(const void *address, size_t length)
{
    const char *from = start_of(address), *to = end_of(address, length);
    unsigned used = __atomic_load_n(&sm_external_used, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < used && sm_external_any(); i++) {
        if (sm_external_has(&sm_external_ranges[i], from, to))
            return true;
    }
    return false;
}

bool sm_external_contains(const void *address, size_t length)
{
    const char *from = start_of(address), *to = end_of(address, length);
    unsigned used = __atomic_load_n(&sm_external_used, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < used && sm_external_any(); i++) {
        const struct sm_external_range *range = &sm_external_ranges[i];
        const char *at = __atomic_load_n(&range->address, __ATOMIC_ACQUIRE);
        if (at && at <= from && to <= at + __atomic_load_n(&range->length, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

/*
 * Calls a function with the lock held for each range that overlaps, with the part between from
 * and to that belongs to it. Returns the first error. A child of a raw fork has no such range
 * any more, and may not enter the allocator. A signal handler that interrupted this thread
 * inside may not wait for the lock, which the thread may hold; a fork notices what it unmaps.
 */
typedef int part_function(struct sm_external_range *range, char *from, char *to, bool argument);

static int for_parts(const void *address, size_t length, part_function *function, bool argument)
{
    char *from = start_of(address), *to = end_of(address, length);
    struct sm_thread_cache *cache;
    unsigned used;
    int error = 0;

    if (!sm_external_any() || !sm_external_overlap(address, length) || sm_is_rawfork_child() ||
        sm_inside_now())
        return 0;
    cache = sm_enter();
    sm_lock_take(&sm_external_lock);
    used = sm_external_used; /* What the function adds is done. */
    for (unsigned i = 0; i < used; i++) {
        struct sm_external_range *range = &sm_external_ranges[i];
        if (sm_external_has(range, from, to)) {
            char *end = range->address + range->length;
            int result = function(range, from > range->address ? from : range->address,
                                  to < end ? to : end, argument);
            error = error ? error : result;
        }
    }
    sm_lock_drop(&sm_external_lock);
    sm_leave(cache);
    return error;
}

static int part_release(struct sm_external_range *range, char *from, char *to, bool argument)
{
    (void)argument;
    sm_external_cut(range, from, to);
    return 0;
}

void sm_external_release(const void *address, size_t length)
{
    for_parts(address, length, part_release, false);
}

static int part_restore(struct sm_external_range *range, char *from, char *to, bool lock)
{
    size_t length = (size_t)(to - from), moved = 0;
    char *pages;
    int error;

    if (sm_seccomp_forbids(SM_CALL_MMAP) || sm_pages_move_is_refused())
        return -EPERM;
    pages = sm_pages_private(length, false);
    if (!pages)
        return -ENOMEM;
    error = sm_external_refresh(pages, from, length);
    if (error >= 0) {
        moved = sm_external_place(pages, from, length, false);
        error = moved == length ? 0 : -ENOMEM;
    }
    if (moved < length)
        sm_pages_unmap(pages + moved, length - moved);
    if (moved)
        sm_external_cut(range, from, from + moved);
    if (moved && lock)
        sm_pages_lock(from, moved, false);
    return error;
}

int sm_external_restore(const void *address, size_t length, bool lock)
{
    return for_parts(address, length, part_restore, lock);
}

static int part_keep(struct sm_external_range *range, char *from, char *to, bool keep)
{
    struct sm_external_range part = *range;

    part.address = from;
    part.length = (size_t)(to - from);
    part.parental = keep;
    sm_external_cut(range, from, to);
    /* The kernel's own mark stays, for children of raw forks. */
    sm_pages_inherit(from, part.length, false);
    return sm_external_add(&part) ? 0 : -ENOSPC;
}

void sm_external_keep_from_children(const void *address, size_t length, bool keep)
{
    for_parts(address, length, part_keep, keep);
}

size_t sm_external_pages(enum sm_kind kind)
{
    size_t pages = 0;

    for (unsigned i = 0; i < sm_external_used; i++) {
        const struct sm_external_range *range = &sm_external_ranges[i];
        if (range->address && (range->locked ? SM_KIND_LOCKED : SM_KIND_SECRET) == kind)
            pages += range->length >> SM_PAGE_SHIFT;
    }
    return pages;
}
