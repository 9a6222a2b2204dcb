/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/own_secure_heap.h"
#include "base/common.h"
#include "base/settings.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"

/* The thread that has begun a heap which the preload has not seen being locked; 0: none */
static long maker;

static long this_thread(void)
{
    return sm_seccomp_forbids(SM_CALL_GETTID) ? 1 : sm_sys(SYS_gettid);
}

void own_secure_heap_begins(void)
{
    __atomic_store_n(&maker, this_thread(), __ATOMIC_RELAXED);
}

void own_secure_heap_seen(void)
{
    __atomic_store_n(&maker, 0, __ATOMIC_RELAXED);
}

void own_secure_heap_check(void)
{
    long made_by = __atomic_load_n(&maker, __ATOMIC_RELAXED);

    if (sm_likely(!made_by) || made_by != this_thread() ||
        !__atomic_compare_exchange_n(&maker, &made_by, 0, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return;
    if (sm_settings.require)
        sm_exit_refused(
            "SECRETSSL_REQUIRE=1: a libcrypto opened with RTLD_DEEPBIND or dlmopen() "
            "has a secure heap that cannot be replaced");
    sm_lapse(
        SM_LAPSE_SECURE_HEAP,
        "the secure heap of a libcrypto opened with RTLD_DEEPBIND or dlmopen() is ordinary "
        "memory, libcrypto's other memory is secret: do not switch the heap on "
        "(CRYPTO_secure_malloc_init)");
}
