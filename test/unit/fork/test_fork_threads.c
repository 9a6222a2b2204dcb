/* SPDX-License-Identifier: Apache-2.0 */
/* fork() while other threads allocate, free and fork. */
#include "base/counters.h"
#include "heap/malloc.h"
#include "support.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART SM_PART_KEY

static void init(void)
{
    start_heap_of(64 * SM_MIB);
}

TestSuite(fork_threads, .init = init);

/* What other threads had in their caches is free in the child, and zero. */
static void *cached[32];
static pthread_barrier_t barrier;

static void *keep_slots(void *arg)
{
    for (int i = 0; i < 32; i++)
        cached[i] = sm_malloc(64, PART);
    for (int i = 0; i < 32; i++) {
        memset(cached[i], 0xee, 64);
        sm_free(cached[i]);
    }
    pthread_barrier_wait(&barrier);
    pause();
    return arg;
}

static void find_slots(void *arg)
{
    uint32_t top = sm_arena.part[PART].top;
    unsigned found = 0;

    (void)arg;
    while (sm_arena.part[PART].top == top && found < 32) {
        void *p = sm_malloc(64, PART);
        CHECK(all_bytes(p, 0, 64));
        for (int i = 0; i < 32; i++)
            found += p == cached[i];
    }
    CHECK(found == 32);
}

Test(fork_threads, slots_of_other_threads)
{
    pthread_t thread;

    pthread_barrier_init(&barrier, NULL, 2);
    cr_assert_eq(pthread_create(&thread, NULL, keep_slots, NULL), 0);
    pthread_barrier_wait(&barrier);
    cr_assert_eq(in_child(find_slots, NULL), 0);
}

/* Threads publish blocks by exchanging pointers: no child sees half of one. */
static unsigned char *published[4];
static volatile bool stop;

static void *publish(void *arg)
{
    uint64_t random = (uintptr_t)arg;

    while (!stop) {
        size_t n = 64 + next_random(&random) % 3000;
        unsigned char *p = sm_malloc(n, PART), *old;
        memset(p, (int)(1 + n % 255), n);
        memcpy(p, &n, sizeof(n));
        old = __atomic_exchange_n(&published[next_random(&random) % 4], p, __ATOMIC_ACQ_REL);
        if (old)
            sm_free(old);
    }
    return NULL;
}

static void check_published(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        unsigned char *p = __atomic_load_n(&published[i], __ATOMIC_ACQUIRE);
        size_t n;
        if (!p)
            continue;
        memcpy(&n, p, sizeof(n));
        CHECK(n >= 64 && n < 3064 && sm_usable_size(p) == n);
        CHECK(all_bytes(p + sizeof(n), (unsigned char)(1 + n % 255), n - sizeof(n)));
        sm_free(p);
    }
    sm_free(sm_malloc(1000, PART));
}

Test(fork_threads, nothing_torn)
{
    pthread_t threads[3];

    for (uintptr_t i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, publish, (void *)(i + 1)), 0);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(in_child(check_published, NULL), 0, "child %d", i);
    stop = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(sm_stats.fork_failed, 0);
}

/* Two threads fork at the same time. */
static unsigned char *shared;

static void *fork_often(void *arg)
{
    for (int i = 0; i < 30; i++) {
        pid_t pid = fork();
        int status;
        if (pid == 0)
            _exit(!all_bytes(shared, 5, 5000) || !sm_malloc(100, PART));
        if (waitpid(pid, &status, 0) != pid || status != 0)
            return arg;
    }
    return NULL;
}

Test(fork_threads, from_two_threads)
{
    pthread_t threads[2];
    void *failed;

    shared = memset(sm_malloc(5000, PART), 5, 5000);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, fork_often, shared), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &failed);
        cr_assert_null(failed);
    }
}
