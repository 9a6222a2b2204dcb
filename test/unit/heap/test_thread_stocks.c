/* SPDX-License-Identifier: Apache-2.0 */
/* What threads keep comes back when memory is short. */
#include "arena/arena.h"
#include "base/counters.h"
#include "fork/fork.h"
#include "heap/malloc.h"
#include "heap/thread_stocks.h"
#include "support.h"
#include <criterion/criterion.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART    SM_PART_KEY
#define IDLE    100
#define OF_EACH 60

static pthread_barrier_t barrier;
static volatile bool stop;

static void put(void *block)
{
    if (block)
        sm_free(block);
}

static void touch_all_classes(void)
{
    static __thread void *blocks[OF_EACH];

    for (size_t size = 100; size < 3000; size += size / 4) {
        for (int i = 0; i < OF_EACH; i++)
            blocks[i] = sm_malloc(size, PART);
        for (int i = 0; i < OF_EACH; i++)
            put(blocks[i]);
    }
}

/* Has had blocks, and sleeps. */
static void *idle(void *arg)
{
    (void)arg;
    touch_all_classes();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    touch_all_classes();
    return NULL;
}

/* Allocates and frees all the time. */
static void *busy(void *arg)
{
    (void)arg;
    while (!stop) {
        void *small = sm_malloc(100, PART), *medium = sm_malloc(700, PART);
        if (small)
            memset(small, 1, 100);
        put(small);
        put(medium);
    }
    return NULL;
}

/* Returns the bytes that fit into the arena in blocks of 1,000 bytes. */
static size_t fill(void)
{
    size_t bytes = 0;

    for (;;) {
        void *block = sm_malloc(1000, PART);
        if (!block || !sm_arena_owns(block))
            return bytes;
        bytes += 1000;
    }
}

static void idle_threads(void *arg)
{
    pthread_t threads[IDLE], worker;
    size_t bytes;

    (void)arg;
    start_heap_of(16 * SM_MIB);
    sm_fork_init();
    pthread_barrier_init(&barrier, NULL, IDLE + 1);
    for (int i = 0; i < IDLE; i++)
        CHECK(pthread_create(&threads[i], NULL, idle, NULL) == 0);
    pthread_barrier_wait(&barrier);
    CHECK(pthread_create(&worker, NULL, busy, NULL) == 0);
    CHECK(sm_arena.mapped > 4 * SM_MIB);
    bytes = fill();
    stop = true;
    CHECK(pthread_join(worker, NULL) == 0);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < IDLE; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    /* 1,024 bytes a block, and a busy thread's own; without a return a third is missing. */
    CHECK(bytes > 15 * SM_MIB * 1000 / 1024 * 9 / 10);
}

Test(thread_stocks, idle_threads)
{
    static char text[4096];

    cr_assert_eq(in_child_saying(idle_threads, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "the arena is full"), 1, "%s", text);
}

/* Shortages while other threads fork: neither waits for the other for ever. */
static void *forker(void *arg)
{
    (void)arg;
    for (int i = 0; i < 30; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
    }
    return NULL;
}

static void *hungry(void *arg)
{
    (void)arg;
    while (!stop) {
        void *block = sm_malloc(3 * SM_MIB, PART), *other = sm_malloc(2 * SM_MIB, PART);
        put(block);
        put(other);
        touch_all_classes();
    }
    return NULL;
}

static void with_forks(void *arg)
{
    pthread_t threads[4];

    (void)arg;
    start_heap_of(4 * SM_MIB);
    sm_fork_init();
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, i ? hungry : forker, NULL) == 0);
    CHECK(pthread_join(threads[0], NULL) == 0);
    stop = true;
    for (int i = 1; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

Test(thread_stocks, forks)
{
    cr_assert_eq(in_child(with_forks, NULL), 0);
}

/*
 * A program that goes on with a full arena does not pay for it: what cannot be found is not
 * looked for by system calls again and again.
 */
static void cheap(void *arg)
{
    (void)arg;
    start_heap_of(SM_MIB);
    for (unsigned p = 0; p < SM_PARTS; p++)
        CHECK(sm_malloc(1000, p));
    for (int i = 0; i < 2000; i++)
        sm_malloc(1000, PART);
    CHECK(sm_stats.spilled > 0);
    filter_call(SYS_memfd_secret, SECCOMP_RET_KILL_PROCESS);
    for (int i = 0; i < 1000; i++) {
        void *small = sm_malloc(1000, PART), *large = sm_malloc(9000, PART);
        CHECK(small && large && !sm_arena_owns(large));
        sm_free(small);
        sm_free(large);
    }
}

Test(thread_stocks, cheap)
{
    cr_assert_eq(in_child(cheap, NULL), 0);
}

/* The slots that a bin keeps are the latest: the oldest go when it is full. */
Test(thread_stocks, oldest_go)
{
    enum { MANY = 100 };
    void *blocks[MANY], *last;
    unsigned kept;

    start_heap();
    for (int i = 0; i < MANY; i++)
        blocks[i] = sm_malloc(100, PART);
    kept = sm_classes[sm_size_class(100)].cached;
    cr_assert_gt(MANY, 2 * kept);
    for (int i = 0; i < MANY; i++)
        sm_free(blocks[i]);
    last = sm_malloc(100, PART);
    cr_assert_eq(last, blocks[MANY - 1]);
    for (int i = 2; i < (int)kept / 2; i++)
        cr_assert_eq(sm_malloc(100, PART), blocks[MANY - i]);
}
