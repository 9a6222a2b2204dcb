/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that allocate, free each other's blocks and fork: for ThreadSanitizer to watch. With
 * an argument, with their call stacks.
 */
#include "base/settings.h"
#include "process/leak_report.h"
#include "stacktrace/unwind.h"
#include "stress.h"
#include "support.h"
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define TURNS   3000

static struct stress_block passed[64];
static pthread_mutex_t locks[64];
static pthread_barrier_t all_there; /* so that all threads want the first block at once */

/* Leaves a block for others, and frees what another left. */
static void exchange(uint64_t *random)
{
    unsigned place = next_random(random) % 64;
    struct stress_block mine = stress_alloc(random, 30000), other;

    pthread_mutex_lock(&locks[place]);
    other = passed[place];
    passed[place] = mine;
    pthread_mutex_unlock(&locks[place]);
    if (other.at)
        stress_free(&other);
}

static void *work(void *arg)
{
    static struct stress stress[THREADS];
    struct stress *mine = &stress[(uintptr_t)arg];
    uint64_t random = (uintptr_t)arg;

    *mine = (struct stress){.random = (uintptr_t)arg, .most = 30000};
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < TURNS; i++) {
        exchange(&random);
        stress_run(mine, 3);
    }
    stress_end(mine);
    return NULL;
}

static void fork_once(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        uint64_t random = 1;
        struct stress_block block = stress_alloc(&random, 5000);
        stress_free(&block);
        _exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    (void)argv;
    sm_settings.trace = argc > 1;
    if (sm_settings.trace)
        sm_unwind_load();
    start_heap_of(64 * SM_MIB);
    for (int i = 0; i < 64; i++)
        pthread_mutex_init(&locks[i], NULL);
    pthread_barrier_init(&all_there, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < 10; i++)
        fork_once();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < 64; i++) {
        if (passed[i].at)
            stress_free(&passed[i]);
    }
    if (sm_settings.trace)
        sm_leaks_report();
    puts("all blocks were right");
    return 0;
}
