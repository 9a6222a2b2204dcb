/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libcrypto whose CRYPTO_secure_malloc_init() we do not answer (node's own copy) locks its
 * secure heap: mlock, or mlock2 by syscall(). It gets secret pages under it then, which are
 * locked by their nature. The program itself may be in the same object as libcrypto, and lock
 * something else: the heap is known by its guard pages and by its contents (guarded.h).
 */
#include "memlock.h"
#include "backing.h"
#include "common.h"
#include "config.h"
#include "guarded.h"
#include "libcrypto.h"
#include "outside.h"
#include "report.h"
#include "start.h"
#include "stats.h"
#include "sys.h"
#include "thread_cache.h"
#include <errno.h>

int mlock(const void *address, size_t length);
int mlock2(const void *address, size_t length, unsigned flags);
int munmap(void *address, size_t length);

static int answer(long result)
{
    if (result >= 0)
        return (int)result;
    errno = (int)-result;
    return -1;
}

bool memlock_take(const void *caller, const void *address, size_t length)
{
    int error;

    if (!libcrypto_contains(caller) || !start_ready() || sm_unannounced() || sm_inside_now())
        return false;
    error = guarded_heap(address, length);
    if (error == -EINVAL)
        return false;
    if (error == 0)
        error = sm_outside_take((void *)address, length);
    if (error == 0)
        return true;
    if (sm_config.require)
        sm_refuse("SECRETSSL_REQUIRE=1: no secret memory for OpenSSL's secure heap (%s)",
                  sm_errno_name(error));
    sm_count(&sm_stats.degraded, length / 4096);
    sm_backing_degraded(SM_KIND_LOCKED, error);
    return false;
}

/* As mlock(2). */
SM_EXPORT int mlock(const void *address, size_t length)
{
    if (memlock_take(__builtin_return_address(0), address, length))
        return 0;
    return answer(sm_sys(SYS_mlock, address, length));
}

/* As mlock2(2). */
SM_EXPORT int mlock2(const void *address, size_t length, unsigned flags)
{
    if (memlock_take(__builtin_return_address(0), address, length))
        return 0;
    return answer(sm_sys(SYS_mlock2, address, length, flags));
}

/* As munmap(2). */
SM_EXPORT int munmap(void *address, size_t length)
{
    sm_outside_forget(address, length);
    return answer(sm_sys(SYS_munmap, address, length));
}
