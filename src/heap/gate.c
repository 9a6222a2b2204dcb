/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/gate.h"
#include "arena/fork_window.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <linux/futex.h>
#include <time.h>

/* Alone in its cache line, because every malloc and free reads it. */
volatile uint32_t sm_gate __attribute__((aligned(64)));
static char gate_padding[60] __attribute__((used));
void (*sm_gate_work)(void);

bool sm_gate_is_closed(void)
{
    return __atomic_load_n(&sm_gate, __ATOMIC_ACQUIRE) && !sm_window_is_mine();
}

void sm_gate_wait(void)
{
    void (*work)(void);

    while (sm_gate_is_closed()) {
        work = __atomic_load_n(&sm_gate_work, __ATOMIC_ACQUIRE);
        if (work)
            work();
        else
            sm_sys(SYS_futex, &sm_gate, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, 0);
    }
}

/* Waits on a futex, because a filter may forbid sched_yield. */
void sm_gate_doze(void)
{
    static uint32_t never;
    struct timespec pause = {0, 20000};

    sm_sys(SYS_futex, &never, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &pause);
}

bool sm_gate_wait_for(const volatile uint32_t *inside, unsigned *dozes)
{
    while (__atomic_load_n(inside, __ATOMIC_SEQ_CST)) {
        if (*dozes == 0)
            return false;
        --*dozes;
        sm_gate_doze();
    }
    return true;
}

void sm_gate_open(void)
{
    __atomic_store_n(&sm_gate, 0, __ATOMIC_SEQ_CST);
    if (!sm_seccomp_forbids(SM_CALL_FUTEX))
        sm_sys(SYS_futex, &sm_gate, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT32_MAX);
}
