/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes mlock() and its family. Whoever locks memory of its own keeps secrets in it: a
 * libcrypto whose CRYPTO_secure_malloc_init() the preload does not replace (node's own copy),
 * libgcrypt, libsodium, Botan. The preload puts secret pages, which are always locked, under
 * the memory. A libcrypto's heap is recognised by its guard pages and its contents
 * (mlock_secure_heap.h), other memory by the rule of mlock_rule.h.
 */
#include "exports/mlock.h"
#include "arena/shortage.h"
#include "base/common.h"
#include "base/counters.h"
#include "base/settings.h"
#include "exports/mlock_rule.h"
#include "exports/mlock_secure_heap.h"
#include "fork/external_pages.h"
#include "heap/thread_cache.h"
#include "hooks/own_maps.h"
#include "hooks/own_secure_heap.h"
#include "libcrypto/registry.h"
#include "libcrypto/toolkit.h"
#include "loader/real.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/pages.h"
#include "start.h"
#include <errno.h>
#include <sys/single_threaded.h>

int mlock(const void *address, size_t length);
int mlock2(const void *address, size_t length, unsigned flags);
int mlockall(int flags);
int munlock(const void *address, size_t length);

static bool is_outside_allocator(void)
{
    return start_ready() && !sm_is_rawfork_child() && !sm_inside_now();
}

/* If the kernel does not lock the memory either, the program is told, as without the preload.
 */
int memlock_left(int error, size_t length, int result)
{
    if (sm_likely(error >= 0) || result != 0)
        return result;
    if (sm_settings.require)
        sm_exit_refused("SECRETSSL_REQUIRE=1: no secret memory for memory that the program "
                        "locks (%s)",
                        sm_errno_name(error));
    sm_count(&sm_stats.degraded, length / SM_PAGE);
    sm_short_degraded(SM_KIND_LOCKED, error);
    return result;
}

static int lock_leave(enum lock_rule why)
{
    sm_count(&sm_stats.mlocks_left, 1);
    if (why == LOCK_LARGE)
        sm_lapse(SM_LAPSE_MLOCK,
                 "memory that the program locked is not secret: it is too large "
                 "(16 MiB, 4,096 pieces, SECRETSSL_ARENA_SIZE)");
    else if (why == LOCK_BUSY)
        sm_lapse(SM_LAPSE_MLOCK_THREADS,
                 "memory that the program locked is not secret: other threads may be writing "
                 "to it, and userfaultfd, which makes them wait, is refused");
    return MEMLOCK_LEFT;
}

static int lock_adopt(char *address, size_t length, bool alone)
{
    int error = sm_external_adopt(address, length,
                                  SM_EXTERNAL_MLOCKED | (alone ? SM_EXTERNAL_ALONE : 0));

    if (error == -EBUSY && !alone)
        return lock_leave(LOCK_BUSY);
    if (error == -ENOSPC && !alone)
        return lock_leave(LOCK_LARGE);
    if (error)
        return error;
    sm_count(&sm_stats.mlocks, 1);
    return MEMLOCK_TAKEN;
}

static int lock_by_rule(const void *address, size_t length, const void *stack)
{
    char *from = (char *)((uintptr_t)address & ~(uintptr_t)(sm_os_page - 1));
    char *to = (char *)sm_round_up((uintptr_t)address + length, sm_os_page);
    enum lock_rule rule;

    if (sm_settings.mlock == SM_MLOCK_OFF || length == 0 || to < from)
        return MEMLOCK_LEFT;
    if (sm_external_any() && sm_external_contains(from, (size_t)(to - from)))
        return MEMLOCK_TAKEN;
    /* This comes first, because other programs are not to start the allocator. */
    if (!own_maps_has(from, (size_t)(to - from)) || !is_outside_allocator())
        return lock_leave(LOCK_OTHERS);
    rule = lock_judge(from, (size_t)(to - from), stack);
    return rule == LOCK_MEANT ? lock_adopt(from, (size_t)(to - from), false) : lock_leave(rule);
}

int memlock_take(const void *caller, const void *address, size_t length, const void *stack)
{
    int error = -EINVAL;

    toolkit_locks(caller);
    if (libcrypto_contains(caller) && is_outside_allocator())
        error = guarded_heap(address, length);
    if (error == -EINVAL)
        return lock_by_rule(address, length, stack);
    own_secure_heap_seen();
    return error == 0 ? lock_adopt((char *)address, length, true) : error;
}

/* As mlock(2). */
SM_EXPORT int mlock(const void *address, size_t length)
{
    int taken =
        memlock_take(__builtin_return_address(0), address, length, __builtin_frame_address(0));

    return taken == MEMLOCK_TAKEN ? 0
                                  : memlock_left(taken, length, REAL(mlock)(address, length));
}

/* As mlock2(2). */
SM_EXPORT int mlock2(const void *address, size_t length, unsigned flags)
{
    int taken =
        memlock_take(__builtin_return_address(0), address, length, __builtin_frame_address(0));

    return taken == MEMLOCK_TAKEN
               ? 0
               : memlock_left(taken, length, REAL(mlock2)(address, length, flags));
}

/*
 * As mlockall(2), but unlocks the arena. The kernel counts reserved address space as locked:
 * the arena's reservation alone would exceed most limits, and the program's next mmap would
 * fail.
 */
SM_EXPORT int mlockall(int flags)
{
    int result = REAL(mlockall)(flags);

    if (result == 0 && !sm_is_rawfork_child() && !sm_inside_now())
        sm_arena_unlock();
    return result;
}

/*
 * As munlock(2). Pages become ordinary again if there is no other thread that could write
 * meanwhile: nothing makes threads wait that write to secret pages.
 */
SM_EXPORT int munlock(const void *address, size_t length)
{
    const char *from = (const char *)((uintptr_t)address & ~(uintptr_t)(sm_os_page - 1));
    const char *to = (const char *)sm_round_up((uintptr_t)address + length, sm_os_page);

    if (sm_external_any() && sm_external_contains(from, (size_t)(to - from)) &&
        is_outside_allocator() && __libc_single_threaded)
        sm_external_restore(from, (size_t)(to - from), false);
    return REAL(munlock)(address, length);
}
