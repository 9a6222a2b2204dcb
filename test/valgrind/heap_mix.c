/* SPDX-License-Identifier: Apache-2.0 */
/* The random mix of the unit tests, without Criterion, which forks and execs too much for
 * Valgrind. */
#include "base/counters.h"
#include "heap/malloc.h"
#include "stress.h"
#include "support.h"
#include <pthread.h>
#include <stdio.h>

#define THREADS 3

static void *mix(void *arg)
{
    static struct stress stress[THREADS];
    struct stress *mine = &stress[(uintptr_t)arg];

    *mine = (struct stress){.random = 1 + (uintptr_t)arg, .most = 30000};
    stress_run(mine, 2000);
    stress_end(mine);
    return NULL;
}

static void after_fork(void *arg)
{
    mix(arg);
}

int main(void)
{
    pthread_t threads[THREADS];

    start_heap_of(32 * SM_MIB);
    mix(NULL);
    CHECK(in_child(after_fork, NULL) == 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, mix, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(sm_stats.live_bytes == 0 && sm_stats.allocations == sm_stats.frees);
    printf("%lu allocations\n", (unsigned long)sm_stats.allocations);
    return 0;
}
