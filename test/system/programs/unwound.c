/* SPDX-License-Identifier: Apache-2.0 */
/* A call stack that goes through syscall(), of a thread that waits in it.
 *
 *   unwound KIND waiting */
#include "common.h"

#include <execinfo.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH = 32 };

static void *above; /* where the function that waits returns to */
static volatile sig_atomic_t found;

static void look(int number)
{
    void *frames[DEPTH];
    int depth = backtrace(frames, DEPTH);

    (void)number;
    for (int i = 0; i < depth; i++) {
        if (frames[i] == above)
            found = 1;
    }
}

static __attribute__((noinline)) void wait_there(void)
{
    struct timespec while_away = {10, 0};

    above = __builtin_return_address(0);
    syscall(SYS_nanosleep, &while_away, NULL);
}

static void waiting(void)
{
    void *frames[DEPTH];
    struct itimerval soon = {.it_value = {0, 100000}};

    backtrace(frames, DEPTH); /* loads what it needs */
    signal(SIGALRM, look);
    setitimer(ITIMER_REAL, &soon, NULL);
    wait_there();
    check(found, "the caller of what waits is on the call stack");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {{"waiting", waiting}, {NULL, NULL}};

    return run_case(cases, argc, argv);
}
