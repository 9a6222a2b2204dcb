/* SPDX-License-Identifier: Apache-2.0 */
/* Children that no fork handler announces: of _Fork and of the system calls themselves.
 *
 *   fork_raw KIND idle|read|write|allocate|mmaps|before_first_use|families|seen|refused
 *
 * In secret memory such a child cannot read, write or allocate, and never harms its parent; but
 * for those by syscall(), which have their copy as children of fork do. */
#include "common.h"

#if defined(__x86_64__)
#include <asm/prctl.h>
#endif
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { SIZE = 20000, SEGMENTATION_FAULT = 1000 + SIGSEGV };

static unsigned char *secret;

/* The instruction itself, which nobody sees */
static pid_t kernel_call(long number, const void *a, size_t b)
{
#if defined(__x86_64__)
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(0L)
                     : "rcx", "r11", "memory");
    return (pid_t)result;
#elif defined(__riscv)
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = (long)a;
    register long a1 __asm__("a1") = (long)b;
    register long a2 __asm__("a2") = 0;

    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return (pid_t)a0;
#else
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = (long)a;
    register long x1 __asm__("x1") = (long)b;
    register long x2 __asm__("x2") = 0;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return (pid_t)x0;
#endif
}

static pid_t by_clone(void)
{
    return kernel_call(SYS_clone, (void *)(uintptr_t)SIGCHLD, 0);
}

static pid_t by_clone3(void)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    return kernel_call(SYS_clone3, &arguments, sizeof(arguments));
}

static pid_t called_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static pid_t called_clone3(void)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

#ifdef SYS_fork
static pid_t called_fork(void)
{
    return (pid_t)syscall(SYS_fork);
}
#endif

/* What shares more with its parent than a child of fork does is none. */
static pid_t sharing_descriptors(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

#if defined(__x86_64__)
static pid_t with_own_tls(void)
{
    unsigned long tls = 0;

    /* In a page of its own: the thread-local variables of the parent's thread are not there. */
    if (syscall(SYS_arch_prctl, ARCH_GET_FS, &tls) != 0)
        broken("arch_prctl");
    return (pid_t)syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, 0, tls);
}
#endif

struct way {
    const char *name;
    pid_t (*make)(void);
};

static const struct way ways[] = {
    {"_Fork", _Fork},
    {"the clone instruction", by_clone},
    {"the clone3 instruction", by_clone3},
    {"syscall(SYS_clone, CLONE_FILES)", sharing_descriptors},
#if defined(__x86_64__)
    {"syscall(SYS_clone, CLONE_SETTLS)", with_own_tls},
#endif
};

/* By syscall(), which a preload sees */
static const struct way seen[] = {
    {"syscall(SYS_clone)", called_clone},
    {"syscall(SYS_clone3)", called_clone3},
#ifdef SYS_fork
    {"syscall(SYS_fork)", called_fork},
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

/* What a child of fork can do */
static int all_of_it(void)
{
    void *block = OPENSSL_malloc(1000);
    pid_t pid;

    if (!whole(secret, SIZE, 6) || kind_of(secret) != expected || kind_of(block) != expected)
        return 1;
    writing();
    pid = fork();
    if (pid == 0)
        _exit(secret[0] == 0xff && OPENSSL_malloc(10) ? 0 : 2);
    OPENSSL_free(block);
    return status_within(pid, 20);
}

static volatile bool stop;

static void *allocates(void *unused)
{
    while (!stop)
        OPENSSL_free(filled_block(300, 3));
    return unused;
}

/* With another thread in the allocator all the time, as fork() has it */
static void by_syscall(void)
{
    pthread_t thread;

    secret = filled_block(SIZE, 6);
    check_kind(secret, "a block");
    if (pthread_create(&thread, NULL, allocates, NULL) != 0)
        exit(2);
    for (size_t i = 0; i < 10 * sizeof(seen) / sizeof(seen[0]); i++) {
        const struct way *way = &seen[i % (sizeof(seen) / sizeof(seen[0]))];
        pid_t pid = way->make();
        if (pid == 0)
            _exit(all_of_it());
        int status = status_within(pid, 20);
        /* Nobody has freed the locks of the C library's own allocator for such a child. */
        bool waits = expected == MEMORY_ORDINARY && status == -1;
        check(status == 0 || waits, "child of %s has its copy (status %d)", way->name, status);
        check(whole(secret, SIZE, 6), "and its parent's is what it was");
    }
    stop = true;
    pthread_join(thread, NULL);
}

/* A call that fails does so at once, with the kernel's error. */
static void refused(void)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD, .flags = CLONE_SIGHAND};
    struct timespec from, to;

    secret = filled_block(SIZE, 6);
    clock_gettime(CLOCK_MONOTONIC, &from);
    errno = 0;
    check(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0) == -1 && errno == EINVAL,
          "clone: EINVAL (%d)", errno);
    errno = 0;
    check(syscall(SYS_clone3, &arguments, sizeof(arguments)) == -1 && errno == EINVAL,
          "clone3: EINVAL (%d)", errno);
    errno = 0;
    check(syscall(SYS_clone3, (void *)16, sizeof(arguments)) == -1 && errno == EFAULT,
          "clone3 of a bad pointer: EFAULT (%d)", errno);
    errno = 0;
    check(syscall(SYS_clone3, &arguments, (size_t)8) == -1 && errno == EINVAL,
          "clone3 of too little: EINVAL (%d)", errno);
    clock_gettime(CLOCK_MONOTONIC, &to);
    check(to.tv_sec - from.tv_sec < 2, "nobody waited for a child");
    pid_t pid = fork();
    if (pid == 0)
        _exit(whole(secret, SIZE, 6) ? 0 : 1);
    int status = status_within(pid, 20);
    check(status == 0, "a later child of fork has its copy (status %d)", status);
}

enum { FAMILIES = 4, CHILDREN = 40 };

/* A process that has OpenSSL to itself, and its children */
static int family(void)
{
    void *block = filled_block(SIZE, 2);

    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(whole(block, SIZE, 2) && OPENSSL_malloc(100) ? 0 : 1);
        if (status_within(pid, 20) != 0)
            return 1;
    }
    return 0;
}

/* Siblings that nobody announced share nothing, by what their forks talk over either. */
static void families(void)
{
    pid_t pids[FAMILIES];

    for (int i = 0; i < FAMILIES; i++) {
        pids[i] = _Fork();
        if (pids[i] == 0)
            _exit(family());
    }
    for (int i = 0; i < FAMILIES; i++) {
        int status = status_within(pids[i], 60);
        check(status == 0, "%d children of each sibling: status %d", CHILDREN, status);
    }
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
        {"families", families},
        {"seen", by_syscall},
        {"refused", refused},
        {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
