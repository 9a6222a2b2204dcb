/* SPDX-License-Identifier: Apache-2.0 */
/* Locked memory, and forks and threads.
 *
 *   locks_shared KIND fork|access|many|stack|signal|writers|threads|raw|large */
#include "common.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, POOL = 16 * PAGE, MANY = 300, STACK = 64 * PAGE };

static char *mapped(size_t size)
{
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        broken("mmap");
    return memory;
}

static char *locked(size_t size, uint64_t seed)
{
    char *memory = mapped(size);

    fill(memory, size, seed);
    if (mlock(memory, size) != 0)
        broken("mlock");
    return memory;
}

static int grandchild(char *pool)
{
    pid_t child = fork();

    if (child == 0)
        _exit(whole(pool, POOL, 2) ? 0 : 1);
    return status_of(child);
}

static void in_fork(void)
{
    char *pool = locked(POOL, 1);
    pid_t child = fork();

    if (child == 0) {
        bool good = whole(pool, POOL, 1) && kind_of(pool) == expected;
        fill(pool, POOL, 2);
        good = good && whole(pool, POOL, 2) && grandchild(pool) == 0;
        good = good && munlock(pool, POOL) == 0 && munmap(pool, POOL) == 0;
        _exit(good && secret_bytes() == 0 ? 0 : 1);
    }
    check(status_of(child) == 0, "a child, and its child, have a copy of their own");
    check(whole(pool, POOL, 1), "the parent's is what it was");
    check_kind(pool, "it");
    munmap(pool, POOL);
    child = fork();
    if (child == 0)
        _exit(0);
    check(status_of(child) == 0, "a child after it was unmapped");
}

/* Pages that may not be touched, or only read, at the moment of the fork */
static void access_kept(void)
{
    char *pool = locked(POOL, 1);
    pid_t child;

    if (mprotect(pool, PAGE, PROT_NONE) != 0 || mprotect(pool + PAGE, PAGE, PROT_READ) != 0)
        broken("mprotect");
    for (int page = 0; page < 2; page++) {
        child = fork();
        if (child == 0) {
            volatile char *byte = pool + page * PAGE;
            if (page == 1)
                _exit(*byte = 1);
            _exit(*byte);
        }
        check(status_of(child) == 1000 + SIGSEGV, "page %d: a child may do no more", page);
    }
    child = fork();
    if (child == 0) {
        bool good = mprotect(pool, 2 * PAGE, PROT_READ | PROT_WRITE) == 0;
        _exit(good && whole(pool, POOL, 1) && kind_of(pool) == expected ? 0 : 1);
    }
    check(status_of(child) == 0, "the contents are there when it may");
    check(mprotect(pool, 2 * PAGE, PROT_READ | PROT_WRITE) == 0 && whole(pool, POOL, 1),
          "also for the parent");
}

/* As Botan's pool: a page between guards, many times */
static void many(void)
{
    static char *page[MANY];
    pid_t child;
    int bad = 0;

    for (int i = 0; i < MANY; i++) {
        page[i] = mapped(3 * PAGE) + PAGE;
        if (mprotect(page[i] - PAGE, PAGE, PROT_NONE) != 0 ||
            mprotect(page[i] + PAGE, PAGE, PROT_NONE) != 0 || mlock(page[i], PAGE) != 0)
            broken("a page");
        fill(page[i], PAGE, (uint64_t)i);
        bad += kind_of(page[i]) != expected;
    }
    check(bad == 0, "%d pages between guards", MANY);
    child = fork();
    if (child == 0) {
        for (int i = 0; i < MANY; i++)
            bad += !whole(page[i], PAGE, (uint64_t)i) || munmap(page[i], PAGE) != 0;
        _exit(bad == 0 && secret_bytes() == 0 ? 0 : 1);
    }
    check(status_of(child) == 0, "a child has all of them");
    for (int i = 0; i < MANY; i++)
        bad += !whole(page[i], PAGE, (uint64_t)i) || munmap(page[i], PAGE) != 0;
    check(bad == 0 && secret_bytes() == 0, "so has the parent");
}

static void *fork_here(void *unused)
{
    volatile int mine = 1;
    pid_t child = fork();

    (void)unused;
    if (child == 0) {
        mine = 2;
        usleep(20000);
        _exit(mine == 2 ? 0 : 1);
    }
    for (int i = 0; i < 1000; i++)
        mine = 3;
    check(status_of(child) == 0 && mine == 3, "both go on, each on a stack of its own");
    return NULL;
}

/* A thread whose stack the program has mapped and locked forks, and is waited for. */
static void on_stack(void)
{
    char *stack = mapped(STACK);
    pthread_attr_t attributes;
    pthread_t thread;

    check(mlock(stack, STACK) == 0, "memory for a stack is locked");
    check_kind(stack, "it");
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, stack, STACK) != 0 ||
        pthread_create(&thread, &attributes, fork_here, NULL) != 0)
        broken("pthread_create");
    check(pthread_join(thread, NULL) == 0 && kind_of(stack) == MEMORY_ORDINARY,
          "a thread has it, and ends");
    check(mlock(stack, STACK) == 0 && kind_of(stack) == MEMORY_ORDINARY,
          "it is locked again, and stays");
}

static void on_signal(int number)
{
    (void)number;
    fork_here(NULL);
}

/* A signal handler on such a stack forks. */
static void on_signal_stack(void)
{
    stack_t stack = {.ss_sp = mapped(STACK), .ss_size = STACK};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

    check(mlock(stack.ss_sp, STACK) == 0, "memory for a stack is locked");
    check_kind(stack.ss_sp, "it");
    if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
        broken("sigaltstack");
    raise(SIGUSR1);
    check(kind_of(stack.ss_sp) == MEMORY_ORDINARY, "it is ordinary memory then");
}

static atomic_int stop;

struct counter {
    volatile uint64_t *word;
    uint64_t count;
};

static void *count_on(void *argument)
{
    struct counter *counter = argument;

    while (!stop) {
        for (int i = 0; i < 1000; i++) {
            ++*counter->word;
            counter->count++;
        }
    }
    return NULL;
}

/*
 * Threads write to memory while it is locked: no write is lost, whether they have written
 * before or begin at that moment.
 */
static void writers(void)
{
    enum { ROUNDS = 100, WRITERS = 2 };
    int lost = 0, failed = 0, others = 0;

    for (int round = 0; round < ROUNDS; round++) {
        char *pool = mapped(POOL);
        struct counter counters[WRITERS];
        pthread_t threads[WRITERS];

        stop = 0;
        for (int i = 0; i < WRITERS; i++) {
            counters[i] = (struct counter){(volatile uint64_t *)(pool + (i + 1) * PAGE), 0};
            if (pthread_create(&threads[i], NULL, count_on, &counters[i]) != 0)
                broken("pthread_create");
        }
        if (round % 2)
            usleep(1000);
        failed += mlock(pool, POOL) != 0;
        others += kind_of(pool) != expected;
        usleep(500);
        failed += munlock(pool, POOL) != 0;
        stop = 1;
        for (int i = 0; i < WRITERS; i++) {
            pthread_join(threads[i], NULL);
            lost += *counters[i].word != counters[i].count;
        }
        munmap(pool, POOL);
    }
    check(failed == 0 && others == 0, "memory that threads write to is locked");
    check(lost == 0, "none of their writes is lost");
}

static void *use_own(void *number)
{
    uint64_t seed = (uint64_t)(uintptr_t)number;

    for (int i = 0; i < 100; i++) {
        char *own = locked(PAGE, 0);
        memset(own, 0, PAGE);
        munlock(own, PAGE);
        munmap(own, PAGE);
        own = mapped(3 * PAGE);
        if (mlock(own + PAGE, PAGE) != 0)
            broken("mlock");
        fill(own + PAGE, PAGE, seed);
        usleep(100);
        if (!whole(own + PAGE, PAGE, seed))
            return "damaged";
        munmap(own, 3 * PAGE);
    }
    return NULL;
}

/* Each thread with memory of its own, while another one forks */
static void threads(void)
{
    char *pool = locked(POOL, 9);
    pthread_t thread[4];
    void *damaged = NULL;
    int bad = 0;

    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, use_own, (void *)(i + 1));
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(whole(pool, POOL, 9) ? 0 : 1);
        bad += status_of(child) != 0;
    }
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(thread[i], &result);
        damaged = result ? result : damaged;
    }
    check(bad == 0, "each child has what it should");
    check(!damaged, "so has each thread");
    check_kind(pool, "the pool");
    char *fresh = mapped(POOL);
    check(mlock(fresh, POOL) == 0, "fresh memory in a process with threads");
    check_kind(fresh, "it");
}

/* A child of a raw fork has none of it, and can unmap and lock. */
static void raw(void)
{
    char *pool = locked(POOL, 1);
    pid_t child = _Fork();

    if (child == 0) {
        char *own = mapped(PAGE);
        _exit(kind_of(pool) != MEMORY_SECRET && mlock(own, PAGE) == 0 &&
                      munlock(pool, POOL) == -(expected == MEMORY_SECRET) &&
                      munmap(pool, POOL) == 0
                  ? 0
                  : 1);
    }
    check(status_of(child) == 0, "a child of _Fork");
    check(whole(pool, POOL, 1), "changes nothing here");
}

/* 80 KiB, for a process that may have less secret memory */
static void large(void)
{
    char *pool = mapped(20 * PAGE);

    fill(pool, 20 * PAGE, 1);
    check(mlock(pool, 20 * PAGE) == 0 && whole(pool, 20 * PAGE, 1), "80 KiB are locked");
    check_kind(pool, "they");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"fork", in_fork},
        {"access", access_kept},
        {"many", many},
        {"stack", on_stack},
        {"signal", on_signal_stack},
        {"writers", writers},
        {"threads", threads},
        {"raw", raw},
        {"large", large},
        {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
