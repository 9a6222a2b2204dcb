/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes mlock() and its family. A libcrypto whose CRYPTO_secure_malloc_init() the preload
 * does not replace (node's own copy) locks its secure heap: by mlock, or mlock2 through
 * syscall(). The preload puts secret pages, which are always locked, under the heap. The
 * program may be in the same object as libcrypto, and lock other memory: the heap is recognised
 * by its guard pages and its contents (mlock_secure_heap.h).
 */
#include "exports/mlock.h"
#include "arena/shortage.h"
#include "base/common.h"
#include "base/counters.h"
#include "base/settings.h"
#include "exports/mlock_secure_heap.h"
#include "fork/external_pages.h"
#include "heap/thread_cache.h"
#include "hooks/own_secure_heap.h"
#include "libcrypto/registry.h"
#include "loader/real.h"
#include "log/log.h"
#include "start.h"
#include <errno.h>

int mlock(const void *address, size_t length);
int mlock2(const void *address, size_t length, unsigned flags);
int mlockall(int flags);
int munmap(void *address, size_t length);

bool memlock_take(const void *caller, const void *address, size_t length)
{
    int error;

    if (!libcrypto_contains(caller) || !start_ready() || sm_is_rawfork_child() ||
        sm_inside_now())
        return false;
    error = guarded_heap(address, length);
    if (error == -EINVAL)
        return false;
    own_secure_heap_seen();
    if (error == 0)
        error = sm_external_adopt((void *)address, length);
    if (error == 0)
        return true;
    if (sm_settings.require)
        sm_exit_refused("SECRETSSL_REQUIRE=1: no secret memory for OpenSSL's secure heap (%s)",
                        sm_errno_name(error));
    sm_count(&sm_stats.degraded, length / 4096);
    sm_short_degraded(SM_KIND_LOCKED, error);
    return false;
}

/* As mlock(2). */
SM_EXPORT int mlock(const void *address, size_t length)
{
    if (memlock_take(__builtin_return_address(0), address, length))
        return 0;
    return REAL(mlock)(address, length);
}

/* As mlock2(2). */
SM_EXPORT int mlock2(const void *address, size_t length, unsigned flags)
{
    if (memlock_take(__builtin_return_address(0), address, length))
        return 0;
    return REAL(mlock2)(address, length, flags);
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

/* As munmap(2). */
SM_EXPORT int munmap(void *address, size_t length)
{
    sm_external_release(address, length);
    return REAL(munmap)(address, length);
}
