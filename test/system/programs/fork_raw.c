/* SPDX-License-Identifier: Apache-2.0 */
/* Children that no fork handler announces: of _Fork and of the system calls themselves.
 *
 *   fork_raw KIND idle|read|write|allocate|mmaps|before_first_use
 *
 * In secret memory such a child cannot read, write or allocate, and never harms its parent. */
#include "common.h"

#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { SIZE = 20000, SEGMENTATION_FAULT = 1000 + SIGSEGV };

static unsigned char *secret;

static pid_t by_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static pid_t by_clone3(void)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

#ifdef SYS_fork
static pid_t by_fork_call(void)
{
    return (pid_t)syscall(SYS_fork);
}
#endif

static const struct {
    const char *name;
    pid_t (*make)(void);
} ways[] = {
    {"_Fork", _Fork},
    {"clone", by_clone},
    {"clone3", by_clone3},
#ifdef SYS_fork
    {"the fork call", by_fork_call},
#endif
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

/* Runs `child` in a process made in each way; it must end with one of two statuses. */
static void in_each(int (*child)(void), int wanted, int or_wanted, const char *what)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    secret = filled_block(SIZE, 6);
    check_kind(secret, "a block");
    for (int i = 0; i < WAYS; i++) {
        pid_t pid = ways[i].make();
        if (pid == 0)
            _exit(child());
        int status = status_within(pid, 20);
        check(status == wanted || status == or_wanted, "child of %s that %s: status %d",
              ways[i].name, what, status);
        void *another = filled_block(3000, 8);
        check(whole(secret, SIZE, 6) && whole(another, 3000, 8), "its parent is not harmed");
        OPENSSL_free(another);
    }
    pid_t pid = fork();
    if (pid == 0)
        _exit(whole(secret, SIZE, 6) && OPENSSL_malloc(10) ? 0 : 1);
    int status = status_within(pid, 20);
    check(status == 0, "a later child of fork has its copy (status %d)", status);
}

static int nothing(void)
{
    return 0;
}

static int reading(void)
{
    return whole(secret, SIZE, 6) ? 0 : 1;
}

static int writing(void)
{
    for (int i = 0; i < SIZE; i++)
        ((volatile unsigned char *)secret)[i] = 0xff;
    return 0;
}

static int allocating(void)
{
    void *block = OPENSSL_malloc(100);
    return block ? 0 : 1;
}

static void idle(void)
{
    in_each(nothing, 0, 0, "touches nothing");
}

static void read_in_child(void)
{
    int wanted = expected == MEMORY_ORDINARY ? 0 : SEGMENTATION_FAULT;
    in_each(reading, wanted, wanted, "reads a secret");
}

static void write_in_child(void)
{
    int wanted = expected == MEMORY_ORDINARY ? 0 : SEGMENTATION_FAULT;
    in_each(writing, wanted, wanted, "writes to a secret");
}

static void allocate_in_child(void)
{
    bool ordinary = expected == MEMORY_ORDINARY;
    in_each(allocating, ordinary ? 0 : 78, ordinary ? 0 : 1000 + SIGABRT, "allocates");
}

static int first_use(void)
{
    void *block = OPENSSL_malloc(100);
    bool good = kind_of(block) == expected;
    pid_t pid = fork();

    if (pid == 0)
        _exit(OPENSSL_malloc(1000) ? 0 : 1);
    good = status_within(pid, 20) == 0 && good;
    OPENSSL_free(block);
    return good ? 0 : 1;
}

/* What first uses OpenSSL is a child that nobody announced. */
static void before_first_use(void)
{
    for (int i = 0; i < WAYS; i++) {
        pid_t pid = ways[i].make();
        if (pid == 0)
            _exit(first_use());
        int status = status_within(pid, 20);
        check(status == 0, "child of %s before OpenSSL is used: status %d", ways[i].name,
              status);
    }
    check(first_use() == 0, "and its parent");
}

static struct range arena;

/* Where the child maps memory of its own: never where its parent's secrets lie. */
static int mapping(void)
{
    static const struct {
        size_t size;
        int count;
    } rounds[] = {{4096, 2000}, {64 << 10, 1000}, {1 << 20, 200}, {64 << 20, 64}, {1 << 30, 8}};

    for (size_t round = 0; round < sizeof(rounds) / sizeof(rounds[0]); round++) {
        for (int i = 0; i < rounds[round].count; i++) {
            size_t size = rounds[round].size;
            void *at = mmap(NULL, size, PROT_READ | (i % 2 ? PROT_WRITE : 0),
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (at == MAP_FAILED)
                return 3;
            if ((uintptr_t)at < arena.end && (uintptr_t)at + size > arena.start)
                return 4;
        }
    }
    return 0;
}

static void mmaps(void)
{
    for (int i = 0; i < 40; i++)
        filled_block(100000, 1);
    arena = secret_range();
    check((expected == MEMORY_SECRET) == (arena.end > arena.start),
          "where the secrets lie is known");
    in_each(mapping, 0, 0, "maps memory");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"idle", idle},
        {"read", read_in_child},
        {"write", write_in_child},
        {"allocate", allocate_in_child},
        {"mmaps", mmaps},
        {"before_first_use", before_first_use},
        {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
