/* SPDX-License-Identifier: Apache-2.0 */
/* A child that is late to begin its copy, or never does. */
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "support.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LATE  1800000 /* microseconds: longer than the second after which a parent looks */
#define SOON  500000
#define OLDER 100000
#define LEAST 3 /* seconds, less than a parent's patience with a child that lives */

static enum { PROMPT, IS_LATE, IS_KILLED } child_is;

/* Runs before the library's handler, which was registered later. */
static void in_child_first(void)
{
    if (child_is == IS_LATE)
        usleep(LATE);
    else if (child_is == IS_KILLED)
        raise(SIGKILL);
}

static void *secret(void)
{
    void *p;

    CHECK(pthread_atfork(NULL, NULL, in_child_first) == 0);
    sm_settings.fork_copy =
        SM_FORK_COPY_LIBRARY; /* A parent waits for no copy of the kernel's. */
    start_heap_of(16 * SM_MIB);
    p = sm_malloc(100, SM_PART_KEY);
    CHECK(p && sm_is_secret(p));
    memset(p, 1, 100);
    return p;
}

/* Forks; returns how the child ended. */
static int late_outcome(const void *p)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(!all_bytes(p, 1, 100));
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

/* Another child ends while the new one waits for a processor. */
static void another_ends(void *arg)
{
    pid_t other = fork();
    void *p;

    (void)arg;
    if (other == 0) {
        usleep(SOON);
        _exit(0);
    }
    /* The kernel shows ages in hundredths of a second. */
    usleep(OLDER);
    p = secret();
    child_is = IS_LATE;
    CHECK(late_outcome(p) == 0);
    CHECK(sm_stats.forks == 1 && sm_stats.fork_failed == 0);
    CHECK(waitpid(other, NULL, 0) == other);
}

Test(fork_late, another_ends)
{
    cr_assert_eq(in_child(another_ends, NULL), 0);
}

/* The child is killed before it can show itself: its parent does not wait for long. */
static void killed(void *arg)
{
    struct timespec begin, end;
    void *p = secret();

    (void)arg;
    child_is = IS_KILLED;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    CHECK(late_outcome(p) == SIGKILL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    CHECK(end.tv_sec - begin.tv_sec < LEAST * test_slowness());
    CHECK(sm_stats.forks == 0 && sm_stats.fork_failed == 1);
}

Test(fork_late, killed)
{
    cr_assert_eq(in_child(killed, NULL), 0);
}
