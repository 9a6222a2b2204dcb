/* SPDX-License-Identifier: Apache-2.0 */
/* A child's own copy; other threads are in test_fork_threads.c, and the ways
 * in which it can fail in test_fork_limits.c. */
#include "base/counters.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "os/fork_copies.h"
#include "stress.h"
#include "support.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART   SM_PART_KEY
#define BLOCKS 200

static struct block {
    unsigned char *at;
    size_t size;
} blocks[BLOCKS];

static void init(void)
{
    start_heap_of(64 * SM_MIB);
}

TestSuite(fork, .init = init);

static unsigned char mark_of(int i)
{
    return (unsigned char)(i % 250 + 1);
}

/* Blocks of all sizes, every third freed again: holes everywhere. */
static void make_blocks(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i].size = i % 10 ? (size_t)i * 13 + 1 : (size_t)i * 1000 + 1;
        blocks[i].at = sm_malloc(blocks[i].size, (unsigned)i % SM_PARTS);
        cr_assert_not_null(blocks[i].at);
        memset(blocks[i].at, mark_of(i), blocks[i].size);
    }
    for (int i = 0; i < BLOCKS; i += 3) {
        sm_free(blocks[i].at);
        blocks[i].at = NULL;
    }
}

static bool blocks_are(int offset)
{
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].at && !all_bytes(blocks[i].at, mark_of(i + offset), blocks[i].size))
            return false;
    }
    return true;
}

static void mark_blocks(int offset)
{
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].at)
            memset(blocks[i].at, mark_of(i + offset), blocks[i].size);
    }
}

static int go_on[2], went_on[2]; /* pipes: parent to child, child to parent */

static void turn(int fd[2])
{
    CHECK(write(fd[1], "x", 1) == 1);
}

static void await(int fd[2])
{
    char byte;

    CHECK(read(fd[0], &byte, 1) == 1);
}

static void own_copy(void *arg)
{
    (void)arg;
    CHECK(blocks_are(0));
    turn(went_on);
    await(go_on); /* the parent changed its own */
    CHECK(blocks_are(0));
    mark_blocks(2);
    turn(went_on);
    await(go_on); /* the parent looked */
    CHECK(blocks_are(2));
}

Test(fork, copies_are_independent)
{
    pid_t pid;
    int status;

    make_blocks();
    cr_assert(pipe(go_on) == 0 && pipe(went_on) == 0);
    pid = fork();
    if (pid == 0) {
        own_copy(NULL);
        _exit(0);
    }
    await(went_on);
    mark_blocks(1);
    turn(go_on);
    await(went_on);
    cr_assert(blocks_are(1));
    turn(go_on);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert_eq(sm_stats.forks, 1);
    cr_assert_eq(sm_stats.fork_failed, 0);
}

static struct stress stress;

static void go_on_alone(void *arg)
{
    (void)arg;
    stress_run(&stress, 30000);
    stress_end(&stress);
}

Test(fork, both_go_on)
{
    stress = (struct stress){.random = 3, .most = 50000};
    for (int i = 0; i < 8; i++) {
        stress_run(&stress, 3000);
        cr_assert_eq(in_child(go_on_alone, NULL), 0);
    }
    stress_run(&stress, 30000);
    stress_end(&stress);
}

/* The first allocation of all may be in a child. */
static void first_block(void *arg)
{
    (void)arg;
    CHECK(sm_is_secret(sm_malloc(100, PART)));
    CHECK(sm_is_secret(sm_malloc(100000, SM_PART_IO)));
}

Test(fork, before_the_first_secret)
{
    cr_assert_eq(in_child(first_block, NULL), 0);
    cr_assert_eq(sm_arena.span, 0);
    first_block(NULL);
    cr_assert_eq(in_child(first_block, NULL), 0);
}

/* Reserved, but without a secret page. */
Test(fork, before_the_first_page)
{
    cr_assert_eq(sm_heap_reserve(PART, 0), 0);
    cr_assert_neq(sm_arena.span, 0);
    cr_assert_eq(in_child(first_block, NULL), 0);
}

static void counters(void *arg)
{
    uint64_t allocations, frees;
    int64_t live;
    size_t wanted = 0, count = 0;

    (void)arg;
    for (int i = 0; i < BLOCKS; i++) {
        wanted += blocks[i].at ? blocks[i].size : 0;
        count += blocks[i].at != NULL;
    }
    sm_thread_caches_sum(&allocations, &frees, &live);
    CHECK(allocations == count && frees == 0 && live == (int64_t)wanted);
    CHECK(sm_stats.forks == 0 && sm_stats.fork_failed == 0);
    CHECK(sm_stats.fork_pages >= (sm_kernel_copies() ? 0 : wanted / SM_PAGE));
    CHECK(sm_stats.pages[SM_KIND_SECRET] >= wanted / SM_PAGE);
    CHECK(sm_stats.degraded == 0);
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].at)
            sm_free(blocks[i].at);
    }
    sm_thread_caches_sum(&allocations, &frees, &live);
    CHECK(frees == count && live == 0);
}

Test(fork, counters)
{
    uint64_t allocations, frees, before;
    int64_t live;

    make_blocks();
    sm_thread_caches_sum(&before, &frees, &live);
    cr_assert_eq(in_child(counters, NULL), 0);
    sm_thread_caches_sum(&allocations, &frees, &live);
    cr_assert_eq(allocations, before);
}

/* Everything in the child's memory is secret, what it allocates anew as well. */
static void all_secret(void *arg)
{
    (void)arg;
    for (int i = 0; i < BLOCKS; i++)
        CHECK(!blocks[i].at || sm_is_secret(blocks[i].at));
    for (size_t n = 1; n < 9000; n += 61) {
        for (int i = 0; i < 20; i++) {
            char *p = sm_malloc(n, PART);
            CHECK(sm_is_secret(p));
            CHECK(sm_is_secret(p + n - 1));
            CHECK(i || mapping_has(p, "dc")); /* its own children will not share it */
        }
    }
}

Test(fork, new_blocks_are_secret)
{
    make_blocks();
    cr_assert_eq(in_child(all_secret, NULL), 0);
}

/* A run of four pages with one block: the child must not use what is not present there. */
static void fill_run(void *arg)
{
    unsigned char *p;

    (void)arg;
    for (int i = 0; i < 64; i++) {
        p = sm_malloc(3072, PART);
        CHECK(sm_is_secret(p));
        CHECK(sm_arena.pages[sm_page_number(p)].present);
        CHECK(sm_arena.pages[sm_page_number(p + 3071)].present);
    }
}

Test(fork, runs_with_holes)
{
    void *p[4];

    for (int i = 0; i < 4; i++)
        p[i] = sm_malloc(3072, PART);
    for (int i = 0; i < 3; i++)
        sm_free(p[i]);
    cr_assert_eq(in_child(fill_run, NULL), 0);
}

/* Free memory is zero in the child even where it is not cleared. */
static void free_is_zero(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        CHECK(all_bytes(sm_malloc(200, PART), 0, 200));
        CHECK(i % 50 || all_bytes(sm_malloc(20000, PART), 0, 20000));
    }
}

Test(fork, free_memory_is_not_copied)
{
    void *some[500];

    sm_settings.zero = 0;
    for (int i = 0; i < 500; i++)
        some[i] = memset(sm_malloc(i % 50 ? 200 : 20000, PART), 0xee, 200);
    for (int i = 0; i < 500; i++) {
        if (i % 7)
            sm_free(some[i]);
    }
    cr_assert_eq(in_child(free_is_zero, NULL), 0);
}

static volatile bool stop;

static void *churn(void *arg)
{
    while (!stop)
        sm_free(sm_malloc(500, PART));
    return arg;
}

static void grandchild(void *arg)
{
    pthread_t thread;

    (void)arg;
    stop = false;
    CHECK(blocks_are(0));
    CHECK(pthread_create(&thread, NULL, churn, NULL) == 0);
    mark_blocks(1);
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        int status;
        if (pid == 0)
            _exit(!blocks_are(1));
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    stop = true;
    pthread_join(thread, NULL);
    CHECK(blocks_are(1));
}

Test(fork, children_of_children)
{
    make_blocks();
    cr_assert_eq(in_child(grandchild, NULL), 0);
    cr_assert(blocks_are(0));
}
