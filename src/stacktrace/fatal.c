/* SPDX-License-Identifier: Apache-2.0 */
#include "stacktrace/fatal.h"
#include "log/log.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include "stacktrace/backtrace.h"
#include <linux/futex.h>
#include <signal.h>

void sm_fatal(const char *kind, const void *address)
{
    static uint32_t ending; /* the reporting thread's ID; 1 if it is unknown */
    uint32_t mine = sm_seccomp_forbids(SM_CALL_GETTID) ? 1 : (uint32_t)sm_sys(SYS_gettid);
    uint32_t first = 0;
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        unsigned long mask;
    } action = {0};
    unsigned long mask = 1UL << (SIGABRT - 1);

    if (address)
        sm_log("fatal: %s: %p", kind, address);
    else
        sm_log("fatal: %s", kind);
    /*
     * Not abort(), because a signal handler of the program must not run on a broken heap and
     * return.
     */
    sm_sys(SYS_rt_sigaction, SIGABRT, &action, NULL, sizeof(mask));
    sm_sys(SYS_rt_sigprocmask, SIG_UNBLOCK, &mask, NULL, sizeof(mask));
    if (__atomic_compare_exchange_n(&ending, &first, mine, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED) &&
        address)
        sm_stack_report();
    /*
     * Waits if another thread's report is in progress, which ends the process. This thread's
     * own report may have called sm_fatal() again.
     */
    while (first && first != mine && mine != 1)
        sm_sys(SYS_futex, &ending, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, first, 0);
    sm_sys(SYS_tgkill, sm_sys(SYS_getpid), sm_sys(SYS_gettid), SIGABRT);
    for (;;)
        __builtin_trap();
}
