/* SPDX-License-Identifier: Apache-2.0 */
#include "process/wipe_handler.h"
#include "arena/wiped.h"
#include "fork/external_pages.h"
#include "log/log.h"
#include "os/fork_copies.h"
#include "os/futex_lock.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#define CALLS 8 /* who reads an entry is done before so many others follow */

bool (*sm_wipe_owns)(const void *p);

struct call {
    sm_wipe_function *function;
    void *arg;
};

static struct call calls[CALLS]; /* what the program has set, in turn */
static unsigned current;

static struct sm_lock set_lock;
static bool installed;
static struct sigaction earlier; /* the program's action before ours, if it has a handler */

static struct sm_lock line_lock;
static bool said;

/*
 * A fault with this code at a page that was resident: the kernel has wiped it. Where the limit
 * is reached, or the program errs, the page was not resident.
 */
static bool is_wiped_secret(const siginfo_t *info)
{
    const void *p = info->si_addr;

    return info->si_code == BUS_ADRERR &&
           (sm_arena_has_secret(p) || sm_external_contains(p, 1) ||
            (sm_wipe_owns && sm_wipe_owns(p)));
}

/*
 * Ends the process at the instruction that failed, as if there were no handler: it fails again,
 * and the kernel does not call a handler for a blocked signal. Another thread may be in the
 * handler meanwhile, which is why the handler stays.
 */
static void end_at_return(void *context)
{
    sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGBUS);
}

/*
 * Another thread that comes here waits until the line is written, as it ends the process. A
 * child may also lack a page of its parent that the kernel could not copy.
 */
static void say_wiped(void)
{
    sm_lock_take(&line_lock);
    if (!said && sm_kernel_has_copied())
        sm_log(
            "the machine hibernated and wiped secret memory (secretmem.hibernate=wipe), or the "
            "kernel could not copy it for this child: this process has lost its secrets and "
            "ends (SIGBUS); start it again");
    else if (!said)
        sm_log(
            "the machine hibernated and wiped secret memory (secretmem.hibernate=wipe): this "
            "process has lost its secrets and ends (SIGBUS); start it again");
    said = true;
    sm_lock_drop(&line_lock);
}

static void call_function(void *address)
{
    struct call call = calls[__atomic_load_n(&current, __ATOMIC_ACQUIRE) % CALLS];

    if (call.function)
        call.function(address, call.arg);
}

/* Whether the instruction fails again if the handler returns. */
static bool comes_again(const siginfo_t *info)
{
    return info->si_code == BUS_ADRERR || info->si_code == BUS_ADRALN ||
           info->si_code == BUS_MCEERR_AR;
}

/* As without any handler. */
static void end_unhandled(const siginfo_t *info, void *context)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    if (info->si_code <= 0 && earlier.sa_handler == SIG_IGN)
        return;
    if (comes_again(info)) {
        end_at_return(context);
        return;
    }
    /* Somebody sent it: it is blocked here, and comes when the handler returns. */
    sigaction(SIGBUS, &action, NULL);
    sm_sys(SYS_tgkill, sm_sys(SYS_getpid), sm_sys(SYS_gettid), SIGBUS);
}

/* As the kernel would have called it. */
static void call_earlier(int number, siginfo_t *info, void *context)
{
    struct sigaction action = earlier;
    sigset_t mask;

    if (action.sa_flags & (int)SA_RESETHAND)
        earlier.sa_handler = SIG_DFL;
    sigorset(&mask, &((ucontext_t *)context)->uc_sigmask, &action.sa_mask);
    if (!(action.sa_flags & SA_NODEFER))
        sigaddset(&mask, number);
    if (!sm_seccomp_forbids(SM_CALL_SIGPROCMASK))
        sm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(uint64_t));
    if (action.sa_flags & SA_SIGINFO)
        action.sa_sigaction(number, info, context);
    else
        action.sa_handler(number);
}

static void on_bus(int number, siginfo_t *info, void *context)
{
    int error = errno;

    if (is_wiped_secret(info)) {
        call_function(info->si_addr);
        say_wiped();
        end_at_return(context);
    } else if (earlier.sa_handler == SIG_DFL || earlier.sa_handler == SIG_IGN) {
        end_unhandled(info, context);
    } else {
        call_earlier(number, info, context);
    }
    errno = error;
}

static int install_handler(bool over)
{
    struct sigaction ours = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    if (sm_seccomp_forbids(SM_CALL_SIGACTION))
        return -EPERM;
    if (sigaction(SIGBUS, NULL, &earlier) != 0)
        return -errno;
    if (!over && earlier.sa_handler != SIG_DFL)
        return -EBUSY;
    /* No other handler runs, and touches what is wiped, before the line is written. */
    sigfillset(&ours.sa_mask);
    return sigaction(SIGBUS, &ours, NULL) == 0 ? 0 : -errno;
}

int sm_wipe_handler_begin(bool over)
{
    int error = 0, saved = errno;

    if (!sm_wipe_offered())
        return -EOPNOTSUPP;
    sm_lock_take(&set_lock);
    if (!installed)
        error = install_handler(over);
    installed = installed || error == 0;
    sm_lock_drop(&set_lock);
    errno = saved;
    return error;
}

void sm_wipe_handler_call(sm_wipe_function *function, void *arg)
{
    unsigned next;

    sm_lock_take(&set_lock);
    next = __atomic_load_n(&current, __ATOMIC_RELAXED) + 1;
    calls[next % CALLS] = (struct call){function, arg};
    __atomic_store_n(&current, next, __ATOMIC_RELEASE);
    sm_lock_drop(&set_lock);
}
