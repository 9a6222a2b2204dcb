/* SPDX-License-Identifier: Apache-2.0 */
#include "stacktrace/backtrace.h"
#include "log/log.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include "stacktrace/load_library.h"
#include "stacktrace/symbolize.h"
#include <signal.h>
#include <time.h>

#define LIBRARY    "libunwind.so.8"
#define FRAMES_MAX 32
#define PATIENCE   3 /* seconds */

typedef int (*backtrace_fn)(void **frames, int most);

/*
 * Sets a kernel timer that sends the process a signal after a while, whatever blocks this
 * thread.
 */
static void end_later(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGABRT};
    struct itimerspec when = {.it_value = {.tv_sec = PATIENCE}};
    int timer = 0;

    if (sm_sys(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) == 0)
        sm_sys(SYS_timer_settime, timer, 0, &when, NULL);
}

void sm_stack_report(void)
{
    void *frames[FRAMES_MAX];
    backtrace_fn backtrace = NULL;
    void *library;
    int count;

    if (sm_seccomp_fatal || sm_seccomp_installed) {
        sm_log("no call stack: a seccomp filter is in the way");
        return;
    }
    if (sm_library_other_root()) {
        sm_log("no call stack: the root directory has changed since the start");
        return;
    }
    end_later();
    library = sm_library_open(LIBRARY);
    if (!library || !sm_library_function(library, "unw_backtrace", &backtrace)) {
        sm_log("no call stack: " LIBRARY " cannot be loaded");
        return;
    }
    count = backtrace(frames, FRAMES_MAX);
    for (int i = 1; i < count; i++) /* not this function */
        sm_symbol_report(i - 1, frames[i], false);
}
