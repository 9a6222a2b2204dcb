/* SPDX-License-Identifier: Apache-2.0 */
#include "seal/fault.h"
#include "arena/sealed.h"
#include "base/counters.h"
#include "libcrypto/registry.h"
#include "loader/real.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/syscall.h"
#include "seal/call_site.h"
#include "seal/window.h"
#include "stacktrace/fatal.h"
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <ucontext.h>

#ifndef SEGV_PKUERR
#define SEGV_PKUERR 4
#endif
#define ACTIONS      8 /* a handler that reads an action is done before so many others follow */
#define NAMES_MOST   32 /* functions that were reported */
#define READS_LOGGED 8  /* further ones are only counted */

typedef int sigaction_function(int, const struct sigaction *, struct sigaction *);
static sigaction_function *real_sigaction;

static struct sigaction actions[ACTIONS]; /* what the program has set, in turn */
static unsigned current;

static struct sigaction program_action(void)
{
    return actions[__atomic_load_n(&current, __ATOMIC_ACQUIRE) % ACTIONS];
}

static void set_program_action(const struct sigaction *action)
{
    unsigned next = __atomic_load_n(&current, __ATOMIC_RELAXED) + 1;

    actions[next % ACTIONS] = *action;
    __atomic_store_n(&current, next, __ATOMIC_RELEASE);
}

#if defined(__x86_64__)
static struct range c_library;

struct place {
    const void *code;       /* the instruction that failed */
    const void *caller;     /* where it returns to, if it is a function of the C library */
    const uintptr_t *stack; /* the top */
};

static struct place fault_place(void *context)
{
    const gregset_t *registers = &((ucontext_t *)context)->uc_mcontext.gregs;
    struct place place = {.code = (const void *)(*registers)[REG_RIP],
                          .stack = (const uintptr_t *)(*registers)[REG_RSP]};

    /* memcpy() and its relatives have no frame. */
    if (elf_range_has(c_library, place.code))
        place.caller = (const void *)*place.stack;
    return place;
}

/* Whether libcrypto's own code accesses the memory, itself or by memcpy(). */
static bool is_libcrypto(const struct place *place)
{
    return libcrypto_contains(place->caller ? place->caller : place->code);
}

/* Reports each function once. */
static void say_unlisted(const struct place *place)
{
    static const void *said[NAMES_MOST];
    static unsigned count;
    char name[CALL_SITE_NAME];
    const void *function = call_site_name(place->caller ? place->caller : place->code, name);
    unsigned have = __atomic_load_n(&count, __ATOMIC_RELAXED), at;
    const char *entry;

    for (unsigned i = 0; i < sm_min(have, NAMES_MOST); i++) {
        if (said[i] == function) {
            sm_lapse_count(SM_LAPSE_UNLISTED);
            return;
        }
    }
    at = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
    if (at < NAMES_MOST)
        said[at] = function;
    entry = call_site_entry(place->stack);
    sm_lapse_each(
        SM_LAPSE_UNLISTED,
        "SECRETSSL_SEAL: %s of libcrypto (called through %s) works on sealed keys, but "
        "is not listed: they stay open in this thread until its next listed call; "
        "report it",
        name, entry ? entry : "a function that is not known");
}

static void open_unlisted(void *context, const struct place *place)
{
    int error = errno;
    uint32_t *saved = sm_pku_saved(context);

    sm_count(&sm_stats.unlisted, 1);
    say_unlisted(place);
    if (saved) {
        *saved &= ~sm_pku_mask;
        window_adopt();
    } else { /* The kernel restores what was there: the fault would come again, for ever. */
        sm_fatal("this processor does not let a signal handler open sealed keys", NULL);
    }
    errno = error;
}

/* The default action of the signal, at the same instruction. */
static void end_by_default(const siginfo_t *info)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    if (info->si_code <= 0 && program_action().sa_handler == SIG_IGN)
        return;
    real_sigaction(SIGSEGV, &action, NULL);
    if (info->si_code <= 0) /* Somebody sent it. */
        sm_sys(SYS_tgkill, sm_sys(SYS_getpid), sm_sys(SYS_gettid), SIGSEGV);
}

static bool is_default(const struct sigaction *action)
{
    return action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN;
}

/* As the kernel would have called it. */
static void call_program(const struct sigaction *action, int number, siginfo_t *info,
                         void *context)
{
    struct sigaction none = {.sa_handler = SIG_DFL};
    sigset_t mask;

    if (action->sa_flags & (int)SA_RESETHAND)
        set_program_action(&none);
    sigorset(&mask, &((ucontext_t *)context)->uc_sigmask, &action->sa_mask);
    if (!(action->sa_flags & SA_NODEFER))
        sigaddset(&mask, number);
    sm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(uint64_t));
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(number, info, context);
    else
        action->sa_handler(number);
}

/*
 * Somebody reads a key. The program's own handler may go on, because nothing was read; without
 * one the process ends.
 */
static void stop_reader(const struct place *place, const siginfo_t *info, bool may_go_on)
{
    char name[CALL_SITE_NAME];
    int error = errno;

    sm_count(&sm_stats.sealed_reads, 1);
    if (!may_go_on)
        sm_fatal("code outside libcrypto accessed a sealed private key", info->si_addr);
    if (sm_counted(&sm_stats.lapses[SM_LAPSE_SEALED_READ]) >= READS_LOGGED) {
        sm_lapse_count(SM_LAPSE_SEALED_READ);
    } else {
        call_site_name(place->caller ? place->caller : place->code, name);
        sm_lapse_each(
            SM_LAPSE_SEALED_READ,
            "SECRETSSL_SEAL: %s accesses a sealed private key at %p, and got nothing: "
            "the program's handler of SIGSEGV decides what happens now",
            name, info->si_addr);
    }
    errno = error;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    struct sigaction action = program_action();

    if (info->si_code == SEGV_PKUERR && sm_in_sealed(info->si_addr)) {
        struct place place = fault_place(context);
        if (is_libcrypto(&place)) {
            open_unlisted(context, &place);
            return;
        }
        stop_reader(&place, info, !is_default(&action));
    }
    if (is_default(&action))
        end_by_default(info);
    else
        call_program(&action, number, info, context);
}

static int find_c_library(struct dl_phdr_info *info, size_t size, void *function)
{
    struct range code = elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);

    (void)size;
    if (!elf_range_has(code, function))
        return 0;
    c_library = code;
    return 1;
}

bool fault_begin(void)
{
    struct sigaction ours = {.sa_sigaction = on_fault,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    struct sigaction before;

    real_sigaction = (sigaction_function *)real_dlsym()(RTLD_NEXT, "sigaction");
    dl_iterate_phdr(find_c_library, (void *)real_dlsym());
    if (!real_sigaction || real_sigaction(SIGSEGV, NULL, &before) != 0)
        return false;
    set_program_action(&before);
    return real_sigaction(SIGSEGV, &ours, NULL) == 0;
}
#else
bool fault_begin(void)
{
    return false;
}
#endif

int fault_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    struct sigaction before;

    if (number != SIGSEGV)
        return real_sigaction(number, action, old);
    before = program_action();
    if (action)
        set_program_action(action);
    if (old)
        *old = before;
    return 0;
}

sighandler_t fault_signal(int number, sighandler_t handler)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;

    if (handler == SIG_ERR || fault_sigaction(number, &action, &before) != 0)
        return SIG_ERR;
    return before.sa_handler; /* in a union with sa_sigaction */
}
