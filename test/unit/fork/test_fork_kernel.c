/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who makes the copy, the kernel or the library, and that a child has the same in both cases.
 * The other tests of forks run in both ways, too (LIBSECRETSSL_TEST_FORK_COPY).
 */
#include "base/counters.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "heap/malloc.h"
#include "live_blocks.h"
#include "os/pages.h"
#include "support.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEAVE   4 /* bytes written and read to go on */
#define LIMIT   (4 * SM_MIB)
#define TOO_LOW (128 * SM_KIB)

static char text[4096];

/* What this kernel and this process's limit promise, found out without the library. */
static bool is_offered(void)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    return kernel_counter("copy_at_fork") == 1 && limit.rlim_max == RLIM_INFINITY;
}

static size_t resident_blocks(void)
{
    size_t count = 0;

    for (int i = 0; i < BLOCKS; i++) {
        unsigned char there = 0;
        char *page = (char *)((uintptr_t)blocks[i] & ~(uintptr_t)(sm_os_page - 1));
        CHECK(mincore(page, sm_os_page, &there) == 0);
        count += there & 1;
    }
    return count;
}

static void whoever_is_offered(void *arg)
{
    bool by_kernel = is_offered();
    pid_t pid;

    (void)arg;
    make();
    pid = fork();
    if (pid == 0) {
        /* A child that only calls exec has cost nothing. */
        CHECK(resident_blocks() == (by_kernel ? 0 : BLOCKS));
        CHECK(by_kernel ? sm_stats.fork_pages == 0
                        : sm_stats.fork_pages >= BLOCKS * SIZE / SM_PAGE);
        CHECK(blocks_are(0));
        _exit(0);
    }
    CHECK(outcome_of(pid) == 0);
    CHECK(sm_stats.forks == 1 && sm_stats.forks_by_kernel == by_kernel);
    CHECK(sm_stats.fork_failed == 0 && sm_stats.degraded == 0);
}

Test(fork_kernel, whoever_is_offered)
{
    cr_assert_eq(in_child(whoever_is_offered, NULL), 0);
}

/* SECRETSSL_FORK_COPY=library, and a limit: the kernel could give up a child much later. */
static void by_library(void *limit)
{
    if (limit)
        become_nobody(LIMIT);
    else
        sm_settings.fork_copy = SM_FORK_COPY_LIBRARY;
    make();
    CHECK(outcome_of(fork() ?: (_exit(!blocks_are(0)), 0)) == 0);
    CHECK(sm_stats.forks == 1 && sm_stats.forks_by_kernel == 0);
}

Test(fork_kernel, by_library)
{
    cr_assert_eq(in_child(by_library, NULL), 0);
    cr_assert_eq(in_child(by_library, ""), 0);
}

static void go_on(int end)
{
    CHECK(write(end, text, LEAVE) == LEAVE);
}

static void wait_for(int end)
{
    CHECK(read(end, text, LEAVE) == LEAVE);
}

/* Neither sees what the other writes, and the child sees what was there at the fork. */
static void both_write(void *arg)
{
    int to_child[2], to_parent[2];
    pid_t pid;

    (void)arg;
    make();
    CHECK(pipe(to_child) == 0 && pipe(to_parent) == 0);
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < BLOCKS / 2; i++)
            memset(blocks[i], 0, SIZE);
        go_on(to_parent[1]);
        wait_for(to_child[0]);
        for (int i = 0; i < BLOCKS / 2; i++)
            CHECK(all_bytes(blocks[i], 0, SIZE));
        for (int i = BLOCKS / 2; i < BLOCKS; i++)
            CHECK(all_bytes(blocks[i], mark_of(i), SIZE));
        _exit(0);
    }
    wait_for(to_parent[0]);
    CHECK(blocks_are(0));
    for (int i = 0; i < BLOCKS; i++)
        memset(blocks[i], mark_of(i + 1), SIZE);
    go_on(to_child[1]);
    CHECK(outcome_of(pid) == 0);
    CHECK(blocks_are(1));
}

Test(fork_kernel, both_write)
{
    cr_assert_eq(in_child(both_write, NULL), 0);
}

/* A worker gives up its privileges before it touches a key for the first time. */
static void nobody(void *arg)
{
    pid_t pid;

    (void)arg;
    make();
    pid = fork();
    if (pid == 0) {
        CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
        _exit(!blocks_are(0));
    }
    CHECK(outcome_of(pid) == 0 && blocks_are(0));
}

Test(fork_kernel, nobody)
{
    cr_assert_eq(in_child(nobody, NULL), 0);
}

/*
 * A limit that the program sets after the start: a child that could meet it ends with a line,
 * and not by SIGBUS when it uses a key.
 */
static void limit_comes_later(void *arg)
{
    struct rlimit limit = {TOO_LOW, TOO_LOW};
    pid_t pid;

    (void)arg;
    sm_settings.require = 1;
    make();
    CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    pid = fork();
    if (pid == 0)
        _exit(!blocks_are(0));
    CHECK(outcome_of(pid) == 78 && blocks_are(0));
}

Test(fork_kernel, limit_comes_later)
{
    cr_assert_eq(in_child_saying(limit_comes_later, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert(strstr(text, "for a child's copy of the secrets: this child ends"), "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
}

/* What was free at the fork is no page of the child's before it is used, and reads as zero. */
static void free_memory(void *arg)
{
    size_t before;
    pid_t pid;

    (void)arg;
    make();
    for (int i = 0; i < BLOCKS; i++)
        sm_free(blocks[i]);
    pid = fork();
    if (pid == 0) {
        sm_free(sm_malloc(SIZE, PART)); /* The child's tables are as its parent's until then. */
        before = sm_stats.pages[SM_KIND_SECRET];
        CHECK(before < BLOCKS / 2);
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = sm_malloc(SIZE, PART);
            CHECK(blocks[i] && all_bytes(blocks[i], 0, SIZE));
            memset(blocks[i], mark_of(i), SIZE);
        }
        CHECK(sm_stats.pages[SM_KIND_SECRET] >= BLOCKS * SIZE / SM_PAGE);
        _exit(!blocks_are(0));
    }
    CHECK(outcome_of(pid) == 0);
}

Test(fork_kernel, free_memory)
{
    cr_assert_eq(in_child(free_memory, NULL), 0);
}

static void *in_window;

static void allocate_in_window(void)
{
    if (!in_window && sm_heap_started())
        in_window = sm_malloc(100, PART);
}

/* A handler of the program makes the arena, where secrets were only elsewhere before. */
static void window(void *arg)
{
    char *memory;
    pid_t pid;

    (void)arg;
    CHECK(pthread_atfork(allocate_in_window, NULL, NULL) == 0);
    start_heap_of(64 * SM_MIB);
    memory = sm_pages_private(2 * sm_os_page, false);
    CHECK(memory);
    memset(memory, 1, 2 * sm_os_page);
    CHECK(sm_external_adopt(memory, sm_os_page, SM_EXTERNAL_ALONE) == 0);
    pid = fork();
    if (pid == 0)
        _exit(!(in_window && sm_is_secret(in_window) && all_bytes(memory, 1, sm_os_page)));
    CHECK(outcome_of(pid) == 0);
    CHECK(in_window && sm_is_secret(in_window) && mapping_is_secret(memory));
}

Test(fork_kernel, window)
{
    cr_assert_eq(in_child(window, NULL), 0);
}
