/* SPDX-License-Identifier: Apache-2.0 */
/* Who is the first to allocate in a child: its tables may be rebuilt only then. */
#include "base/counters.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "live_blocks.h"
#include "support.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void *churn(void *arg)
{
    unsigned char mark = (unsigned char)(uintptr_t)arg;

    for (int round = 0; round < 200; round++) {
        unsigned char *p = sm_malloc(SIZE, PART);
        CHECK(p && all_bytes(p, 0, SIZE));
        memset(p, mark, SIZE);
        CHECK(all_bytes(p, mark, SIZE));
        sm_free(p);
    }
    return NULL;
}

/* Several threads are the first in a child to allocate, and the thread that forked is none. */
static void threads_come_first(void *arg)
{
    pthread_t threads[8];
    pid_t pid;

    (void)arg;
    make();
    pid = fork();
    if (pid == 0) {
        for (uintptr_t i = 0; i < 8; i++)
            CHECK(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0);
        for (int i = 0; i < 8; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(blocks_are(0));
        for (int i = 0; i < BLOCKS; i++)
            sm_free(blocks[i]);
        _exit(0);
    }
    CHECK(outcome_of(pid) == 0 && blocks_are(0));
}

Test(fork_later, threads_come_first)
{
    cr_assert_eq(in_child(threads_come_first, NULL), 0);
}

/* No generation allocates before the next; the figures are right at once. */
static void generations(void *number)
{
    uint64_t allocations, frees;
    int64_t live;

    sm_thread_caches_sum(&allocations, &frees, &live);
    CHECK(allocations - frees == BLOCKS && live == BLOCKS * SIZE);
    CHECK(sm_stats.forks == 0 && blocks_are(0));
    if (number)
        CHECK(in_child(generations, (char *)number - 1) == 0);
    sm_free(blocks[0]);
    sm_thread_caches_sum(&allocations, &frees, &live);
    CHECK(allocations - frees == BLOCKS - 1 && live == (BLOCKS - 1) * SIZE);
}

static void first_generation(void *arg)
{
    (void)arg;
    make();
    CHECK(in_child(generations, (void *)4) == 0);
}

Test(fork_later, generations)
{
    cr_assert_eq(in_child(first_generation, NULL), 0);
}

static void *leave(void *arg)
{
    churn(arg);
    _exit(!blocks_are(0));
}

/* The thread that forked ends before it has allocated in the child. */
static void first_thread_ends(void *arg)
{
    pthread_t thread;
    pid_t pid;

    (void)arg;
    make();
    pid = fork();
    if (pid == 0) {
        CHECK(pthread_create(&thread, NULL, leave, (void *)1) == 0);
        pthread_exit(NULL);
    }
    CHECK(outcome_of(pid) == 0);
}

Test(fork_later, first_thread_ends)
{
    cr_assert_eq(in_child(first_thread_ends, NULL), 0);
}

static volatile int forks_of_handler;

static void fork_in_handler(int number)
{
    pid_t pid = fork();

    (void)number;
    if (pid == 0)
        _exit(0);
    CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
    forks_of_handler++;
}

/* A handler of a signal forks, wherever it has interrupted the figures. */
static void handler(void *arg)
{
    const struct itimerval once = {.it_value = {0, 200}};
    uint64_t allocations = 0, frees = 0;
    int64_t live;

    (void)arg;
    make();
    CHECK(signal(SIGALRM, fork_in_handler) != SIG_ERR);
    for (int n = 1; n <= 100; n++) {
        CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
        while (forks_of_handler < n)
            sm_thread_caches_sum(&allocations, &frees, &live);
    }
    CHECK(allocations - frees == BLOCKS && blocks_are(0));
}

Test(fork_later, handler, .timeout = 120)
{
    cr_assert_eq(in_child(handler, NULL), 0);
}
