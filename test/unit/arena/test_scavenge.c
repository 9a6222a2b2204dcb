/* SPDX-License-Identifier: Apache-2.0 */
/* Free memory goes back to the kernel, and comes back when it is needed. */
#include "arena/scavenge.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PART  SM_PART_KEY
#define SMALL 143   /* bytes, the mean of what a server has */
#define LARGE 16704 /* a record buffer */

static void init(void)
{
    /* What is done in a period must not take several of them. */
    sm_scavenge_period *= test_slowness();
    start_heap_of(256 * SM_MIB);
}

TestSuite(scavenge, .init = init);

static size_t present(void)
{
    size_t pages = 0;

    for (int kind = 0; kind < SM_KINDS; kind++)
        pages += sm_stats.pages[kind];
    return pages * SM_PAGE;
}

static void put(void *block)
{
    if (block)
        sm_free(block);
}

static bool is_secret_memory(void)
{
    return sm_stats.pages[SM_KIND_SECRET] != 0;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Blocks of a size come and go, a few hundred at a time. */
static void work(size_t size, double duration)
{
    enum { SOME = 200 };
    static void *blocks[SOME];
    static uint64_t random = 5;
    double end = seconds() + duration * test_slowness();

    while (seconds() < end) {
        void **block = &blocks[next_random(&random) % SOME];
        put(*block);
        *block = sm_malloc(size, PART);
        cr_assert_not_null(*block);
        cr_assert(all_bytes(*block, 0, size));
        memset(*block, 0xa5, size);
    }
    for (int i = 0; i < SOME; i++) {
        put(blocks[i]);
        blocks[i] = NULL;
    }
}

#define BLOCKS 800000
static void *blocks[BLOCKS];
static unsigned count;

static void shuffle(void)
{
    uint64_t random = 9;

    for (unsigned i = count; i-- > 1;) {
        unsigned j = (unsigned)(next_random(&random) % (i + 1));
        void *block = blocks[i];
        blocks[i] = blocks[j];
        blocks[j] = block;
    }
}

/*
 * With larger pages a record buffer and its guard take more. So many bytes of buffers take what
 * `bytes` of them take with pages of 4096.
 */
static size_t of_buffers(size_t bytes)
{
    return bytes * (24 * SM_KIB) / (whole_bytes(LARGE) + os_page());
}

/* A peak of so many bytes, of which so many are left, in blocks chosen at random. */
static void peak(size_t bytes, size_t left, size_t size)
{
    if (size == LARGE) {
        bytes = of_buffers(bytes);
        left = of_buffers(left);
    }
    for (count = 0; count < bytes / size; count++) {
        blocks[count] = sm_malloc(size, PART);
        cr_assert_not_null(blocks[count]);
        memset(blocks[count], 0x5a, size);
    }
    shuffle();
    while (count > left / size)
        sm_free(blocks[--count]);
}

/* Blocks whose work is done go, and others come, for some seconds. */
static void replace(size_t size, double duration)
{
    double end = seconds() + duration * test_slowness();

    for (unsigned i = 0; seconds() < end; i = (i + 1) % count) {
        void *block = sm_malloc(size, PART);
        memset(block, 0x5a, size);
        sm_free(blocks[i]);
        blocks[i] = block;
        sm_free(sm_malloc(500, PART));
    }
}

static void check_left(size_t size)
{
    for (unsigned i = 0; i < count; i++)
        cr_assert(all_bytes(blocks[i], 0x5a, size), "block %u of %u", i, count);
}

/* Works for a second, and on a slow machine for longer, until little is present. */
static void work_until(size_t most, void (*do_work)(size_t, double), size_t size)
{
    for (int i = 0; i < 20 && (i == 0 || present() > most); i++)
        do_work(size, 1);
    cr_assert_leq(present(), most, "%zu KiB present", present() / 1024);
}

/* 6,000 record buffers, and 63 left of them: without a return, all 100 MiB stay. */
Test(scavenge, large_blocks)
{
    peak(100 * SM_MIB, SM_MIB, LARGE);
    cr_assert_geq(present(), of_buffers(100 * SM_MIB));
    work_until(12 * SM_MIB, work, 500);
    cr_assert_leq(sm_stats.mapped, 16 * SM_MIB);
    cr_assert_eq(sm_stats.mapped, sm_arena.mapped);
    cr_assert_geq(sm_stats.returned_bytes, 80 * SM_MIB);
    check_left(LARGE);
}

/* Small blocks pin a page each until they are replaced, at the lowest addresses. */
Test(scavenge, small_blocks)
{
    peak(100 * SM_MIB, SM_MIB, SMALL);
    work(500, 0.7);
    check_left(SMALL);
    work_until(12 * SM_MIB, replace, SMALL);
    check_left(SMALL);
}

/* What went back comes again, and is zero. */
Test(scavenge, peaks_again_and_again)
{
    for (int i = 0; i < 4; i++) {
        peak(30 * SM_MIB, SM_MIB, i % 2 ? LARGE : 3000);
        cr_assert_leq(sm_arena.mapped, 100 * SM_MIB, "not the sum of all peaks");
        work(500, 1.5);
        /* The blocks of 3,000 bytes pin a chunk each; later peaks are taken for bursts. */
        if (i == 0)
            work_until(18 * SM_MIB, work, 500);
        while (count)
            sm_free(blocks[--count]);
    }
    cr_assert_eq(sm_stats.degraded, 0);
    cr_assert_eq(sm_stats.spilled, 0);
}

/* A server between two requests keeps what it will need again. */
Test(scavenge, little_stays)
{
    size_t now;

    peak(SM_MIB, 0, LARGE);
    now = present();
    work(500, 1);
    cr_assert_geq(present(), now);
    cr_assert_eq(sm_stats.returned_bytes, 0);
}

/* A program that works in bursts keeps what it had, after it mapped it again a few times. */
Test(scavenge, bursts)
{
    unsigned calm = 0;

    for (int i = 0; i < 40 && calm < 3; i++) {
        uint64_t before = sm_stats.returned_bytes;
        peak(20 * SM_MIB, 0, LARGE);
        work(500, 0.5);
        calm = sm_stats.returned_bytes - before < 4 * SM_MIB ? calm + 1 : 0;
    }
    cr_assert_gt(sm_stats.returned_bytes, 10 * SM_MIB, "at first");
    cr_assert_eq(calm, 3);
}

/* What was asked for ahead stays. */
Test(scavenge, prefault_stays)
{
    cr_assert_eq(sm_heap_reserve(PART, 40 * SM_MIB), 40 * SM_MIB);
    peak(25 * SM_MIB, 0, LARGE); /* with guards and the rest of pages 37 MiB */
    work(500, 1);
    cr_assert_eq(sm_stats.returned_bytes, 0);
}

/* Behind a filter that lets nothing be mapped again, nothing goes. */
Test(scavenge, fixed)
{
    uint64_t before;

    peak(40 * SM_MIB, 0, LARGE);
    sm_arena.fixed = true;
    before = sm_stats.returned_bytes;
    work(500, 1);
    cr_assert_eq(sm_stats.returned_bytes, before);
}

/* Nor where memfd_secret fails from now on, though a filter kills for nothing. */
static void refused(void *arg)
{
    size_t before;

    (void)arg;
    start_heap_of(128 * SM_MIB);
    peak(40 * SM_MIB, 0, LARGE);
    filter_call(SYS_memfd_secret, SECCOMP_RET_ERRNO | EPERM);
    sm_heap_keep();
    before = present();
    work(500, 1);
    put(sm_malloc(126 * SM_MIB, PART)); /* from the C library */
    CHECK(present() >= before);
}

Test(scavenge, refused)
{
    cr_assert_eq(in_child(refused, NULL), 0);
}

/* Free keeps errno, whatever else it does. */
Test(scavenge, errno_is_kept)
{
    for (int i = 0; i < 2000; i++) {
        void *block = sm_malloc(1000 + (size_t)i, PART);
        errno = 77;
        sm_free(block);
        cr_assert_eq(errno, 77);
    }
}

/* The cap counts what is mapped: holes leave room for other partitions. */
static void room_for_others(void *arg)
{
    void *block;

    (void)arg;
    start_heap_of(32 * SM_MIB);
    peak(20 * SM_MIB, 0, LARGE);
    for (int turn = 0; turn < 20 && present() > 6 * SM_MIB; turn++)
        work(500, 0.5);
    block = sm_malloc(24 * SM_MIB, SM_PART_IO);
    CHECK(block && sm_arena_owns(block));
    sm_free(block);
    /* And one block of nearly everything, at once: it needs one place, and the others' memory.
     */
    block = sm_malloc(30 * SM_MIB, PART);
    CHECK(block && sm_arena_owns(block));
    memset(block, 1, 30 * SM_MIB);
    sm_free(block);
    CHECK(sm_stats.spilled == 0);
}

Test(scavenge, room)
{
    static char text[4096];

    cr_assert_eq(in_child_saying(room_for_others, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* A child has the blocks that are left, none that is free, and works on, as its parent does. */
Test(scavenge, fork_with_holes)
{
    int status;
    pid_t pid;

    peak(40 * SM_MIB, SM_MIB, LARGE);
    work_until(14 * SM_MIB, work, 500);
    for (int i = 0; i < 2; i++) {
        pid = fork();
        if (pid == 0) {
            for (unsigned b = 0; b < count; b++)
                CHECK(all_bytes(blocks[b], 0x5a, LARGE));
            CHECK(!is_secret_memory() || present() < 16 * SM_MIB);
            peak(30 * SM_MIB, 0, LARGE);
            for (int turn = 0; turn < 20 && present() >= 20 * SM_MIB; turn++)
                work(500, 0.5);
            CHECK(present() < 20 * SM_MIB);
            /* A grandchild, of a process whose memory is a copy. */
            pid = fork();
            if (pid == 0)
                _exit(sm_malloc(LARGE, PART) == NULL);
            CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
            _exit(status != 0);
        }
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert_eq(status, 0);
        check_left(LARGE);
        work(LARGE, 0.1);
    }
}
