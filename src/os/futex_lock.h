/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private futex lock. The C library's mutexes are not used, because the C library's fork and
 * locks must never wait for this library's locks, nor the reverse.
 */
#ifndef SM_OS_FUTEX_LOCK_H
#define SM_OS_FUTEX_LOCK_H

#include "base/common.h"
#include "os/syscall.h"
#include <linux/futex.h>

/* 0: free, 1: held, 2: held, perhaps with waiters. */
struct sm_lock {
    uint32_t word;
};

/* Takes the lock if it is free. */
static inline bool sm_lock_try(struct sm_lock *lock)
{
    uint32_t seen = 0;

    return __atomic_compare_exchange_n(&lock->word, &seen, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static inline void sm_lock_take(struct sm_lock *lock)
{
    uint32_t seen;

    if (sm_likely(sm_lock_try(lock)))
        return;
    for (int spin = 0; spin < 100; spin++) {
        seen = 0;
        if (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) == 0 &&
            __atomic_compare_exchange_n(&lock->word, &seen, 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return;
    }
    while (__atomic_exchange_n(&lock->word, 2, __ATOMIC_ACQUIRE) != 0)
        sm_sys(SYS_futex, &lock->word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, 0);
}

static inline void sm_lock_drop(struct sm_lock *lock)
{
    if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) == 2)
        sm_sys(SYS_futex, &lock->word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

static inline void sm_lock_reset(struct sm_lock *lock)
{
    __atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}

#endif
