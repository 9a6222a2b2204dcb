/* SPDX-License-Identifier: Apache-2.0 */
#include "base/counters.h"
#include "heap/malloc.h"
#include "heap/slab.h"
#include "heap/thread_cache.h"
#include "stress.h"
#include "support.h"
#include <criterion/criterion.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#define PART    SM_PART_KEY
#define THREADS 8

static pthread_t threads[THREADS];

static void init(void)
{
    start_heap_of(128 * SM_MIB);
}

TestSuite(thread_cache, .init = init);

static void start_all(void *(*fn)(void *))
{
    for (uintptr_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, fn, (void *)i), 0);
}

static void join_all(void)
{
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
}

static void check_counts(int64_t wanted_live)
{
    uint64_t allocations, frees;
    int64_t live;

    sm_thread_caches_sum(&allocations, &frees, &live);
    cr_assert_eq(live, wanted_live);
    cr_assert(wanted_live || allocations == frees);
}

static void *mix(void *arg)
{
    static struct stress stress[THREADS];
    struct stress *mine = &stress[(uintptr_t)arg];

    *mine = (struct stress){.random = 100 + (uintptr_t)arg, .most = 40000};
    stress_run(mine, 30000);
    stress_end(mine);
    return NULL;
}

Test(thread_cache, many_threads)
{
    start_all(mix);
    join_all();
    check_counts(0);
}

/* Half of the threads allocate and pass on, the others check and free. */
#define RING 512

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct stress_block blocks[RING];
    unsigned count;
    unsigned producers;
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void produce(uint64_t random)
{
    for (int i = 0; i < 20000; i++) {
        struct stress_block block = stress_alloc(&random, 20000);
        pthread_mutex_lock(&ring.lock);
        while (ring.count == RING)
            pthread_cond_wait(&ring.changed, &ring.lock);
        ring.blocks[ring.count++] = block;
        pthread_cond_broadcast(&ring.changed);
        pthread_mutex_unlock(&ring.lock);
    }
    pthread_mutex_lock(&ring.lock);
    ring.producers--;
    pthread_cond_broadcast(&ring.changed);
    pthread_mutex_unlock(&ring.lock);
}

static void consume(void)
{
    for (;;) {
        struct stress_block block = {0};
        pthread_mutex_lock(&ring.lock);
        while (ring.count == 0 && ring.producers)
            pthread_cond_wait(&ring.changed, &ring.lock);
        if (ring.count) {
            block = ring.blocks[--ring.count];
            pthread_cond_broadcast(&ring.changed);
        }
        pthread_mutex_unlock(&ring.lock);
        if (!block.at)
            return;
        stress_free(&block);
    }
}

static void *pass(void *arg)
{
    if ((uintptr_t)arg % 2)
        produce((uintptr_t)arg);
    else
        consume();
    return NULL;
}

Test(thread_cache, blocks_freed_elsewhere)
{
    ring.producers = THREADS / 2;
    start_all(pass);
    join_all();
    check_counts(0);
}

static void *leave_slots(void *arg)
{
    void **places = arg;

    for (int i = 0; i < 32; i++)
        places[i] = sm_malloc(64, PART);
    for (int i = 0; i < 32; i++)
        sm_free(places[i]);
    cr_assert_not_null(*sm_bin_top(sm_cache, sm_bin_of(PART, sm_size_class(64))),
                       "it keeps some");
    return NULL;
}

/* The slots that an ended thread kept are taken before the arena grows. */
Test(thread_cache, thread_exit_returns_slots)
{
    void *places[32], *again[256];
    unsigned found = 0;

    cr_assert_eq(pthread_create(&threads[0], NULL, leave_slots, places), 0);
    pthread_join(threads[0], NULL);
    for (int i = 0; i < 64; i++) {
        again[i] = sm_malloc(64, PART);
        for (int j = 0; j < 32; j++)
            found += again[i] == places[j];
    }
    cr_assert_eq(found, 32);
}

/* Threads that run together, one a shard, and one thread that frees what another has. */
#define TOGETHER SM_SHARDS
#define OF_EACH  200

static void *of_thread[TOGETHER][OF_EACH];
static unsigned shard_of[TOGETHER];
static pthread_barrier_t barrier;

static unsigned shard_of_block(const void *p)
{
    const struct sm_page *page = &sm_arena.pages[sm_page_number(p)];

    return page->use == SM_USE_BODY ? (page - page->back)->shard : page->shard;
}

static void *in_shard(void *arg)
{
    uintptr_t me = (uintptr_t)arg, next = (me + 1) % TOGETHER;

    for (int i = 0; i < OF_EACH; i++)
        of_thread[me][i] = sm_malloc(64, PART);
    shard_of[me] = sm_cache->shard;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < OF_EACH; i++)
        sm_free(of_thread[next][i]);
    pthread_barrier_wait(&barrier);
    /* All that this thread kept of the other's blocks first, then its own shard's again */
    for (int i = 0; i < OF_EACH; i++)
        of_thread[me][i] = sm_malloc(64, PART);
    return NULL;
}

Test(thread_cache, shards)
{
    unsigned kept = sm_classes[sm_size_class(64)].cached, own[TOGETHER] = {0};
    uint32_t top;

    cr_assert_eq(pthread_barrier_init(&barrier, NULL, TOGETHER + 1), 0);
    for (uintptr_t i = 0; i < TOGETHER; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, in_shard, (void *)i), 0);
    pthread_barrier_wait(&barrier);
    for (int t = 0; t < TOGETHER; t++) {
        for (int before = 0; before < t; before++)
            cr_assert_neq(shard_of[t], shard_of[before]);
    }
    top = sm_arena.part[PART].top;
    pthread_barrier_wait(&barrier);
    for (int t = 0; t < TOGETHER; t++)
        pthread_join(threads[t], NULL);
    for (int t = 0; t < TOGETHER; t++) {
        for (int i = 0; i < OF_EACH; i++)
            own[t] += shard_of_block(of_thread[t][i]) == shard_of[t];
        cr_assert_geq(own[t], OF_EACH - kept, "%d: %u of its own shard", t, own[t]);
    }
    cr_assert_eq(sm_arena.part[PART].top, top, "what was freed is used again");
    for (int t = 0; t < TOGETHER; t++) {
        for (int i = 0; i < OF_EACH; i++)
            sm_free(of_thread[t][i]);
    }
    check_counts(0);
}

static void *one_block(void *arg)
{
    return sm_malloc(64, (unsigned)(uintptr_t)arg % SM_PARTS);
}

/* Thousands of threads, one after the other: neither their caches nor their slots add up. */
Test(thread_cache, many_short_threads)
{
    size_t mapped = 0;

    for (int i = 0; i < 2000; i++) {
        void *p;
        cr_assert_eq(pthread_create(&threads[0], NULL, one_block, NULL), 0);
        pthread_join(threads[0], &p);
        cr_assert_not_null(p);
        sm_free(p);
        if (i == 10)
            mapped = sm_arena.mapped;
    }
    cr_assert_eq(sm_arena.mapped, mapped);
    check_counts(0);
}

/* A destructor of the program's own data may free when our cache is gone already. */
static pthread_key_t key;

static void free_late(void *p)
{
    sm_free(p);
    sm_free(sm_malloc(100, PART));
    sm_free(sm_malloc(50000, PART));
}

static void *leave_to_destructor(void *arg)
{
    pthread_setspecific(key, sm_malloc(100, PART));
    return arg;
}

Test(thread_cache, use_after_thread_end)
{
    cr_assert_eq(pthread_key_create(&key, free_late), 0);
    start_all(leave_to_destructor);
    join_all();
    check_counts(0);
}

/* AddressSanitizer's own frames do not fit on such a stack. */
#if !defined(__SANITIZE_ADDRESS__)
static sem_t ready;

static void *little_stack(void *arg)
{
    void *p = sm_malloc(100, PART);

    p = sm_realloc(p, 30000);
    sm_free(p);
    sem_post(&ready);
    return arg;
}

Test(thread_cache, little_stacks)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    /* 128 KiB on arm64 */
    cr_assert_eq(pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN), 0);
    sem_init(&ready, 0, 0);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], &attr, little_stack, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        sem_wait(&ready);
    join_all();
}
#endif

/* While the gate is closed nobody gets in; who is in is waited for. */
static volatile unsigned turns;
static volatile bool stop;

static void *turn(void *arg)
{
    while (!stop) {
        sm_free(sm_malloc((uintptr_t)arg % 2 ? 100 : 20000, PART));
        __atomic_fetch_add(&turns, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

Test(thread_cache, gate)
{
    start_all(turn);
    for (int i = 0; i < 50; i++) {
        unsigned seen, moving = turns;
        while (turns == moving)
            ;
        sm_gate_close(UINT_MAX);
        /* A thread may still count a turn that it finished before. */
        seen = turns;
        for (volatile int pause = 0; pause < 200000; pause++)
            ;
        cr_assert_leq(turns - seen, THREADS);
        sm_gate_open();
    }
    stop = true;
    join_all();
    check_counts(0);
}

Test(thread_cache, inside)
{
    struct sm_thread_cache *cache;

    cr_assert(!sm_inside_now());
    cache = sm_enter();
    cr_assert(sm_inside_now());
    sm_leave(cache);
    cr_assert(!sm_inside_now());
    cr_assert_eq(cache, sm_cache);
}

/* The cache is memory of its own, which a child does not see, and which is not dumped. */
Test(thread_cache, memory)
{
    if (!sm_cache)
        sm_free(sm_malloc(1, PART));
    cr_assert_not_null(sm_cache);
    cr_assert(mapping_has(sm_cache, "wf"), "MADV_WIPEONFORK");
}
