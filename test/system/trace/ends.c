/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a block and ends in one of the ways that there are: ends HOW. */
#include "over.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 300

static void by_return(void)
{
}

static void by_exit(void)
{
    exit(0);
}

static void by_exit_now(void)
{
    _exit(0);
}

static void by_quick_exit(void)
{
    quick_exit(0);
}

static void *last(void *arg)
{
    pthread_join(*(pthread_t *)arg, NULL);
    return NULL;
}

/* The last thread that ends takes the process with it. */
static void by_pthread_exit(void)
{
    static pthread_t self, other;

    self = pthread_self();
    pthread_create(&other, NULL, last, &self);
    pthread_exit(NULL);
}

static void by_thread(void)
{
    pthread_t other;

    pthread_create(&other, NULL, (void *(*)(void *))(void *)by_exit, NULL);
    pthread_join(other, NULL);
}

static void by_exec(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(3);
}

static void by_term(void)
{
    raise(SIGTERM);
}

static void by_abort(void)
{
    abort();
}

static void leave(int number)
{
    exit(number == SIGTERM ? 0 : 3);
}

/* As a program does that ends in order when it is asked to. */
static void by_handler(void)
{
    signal(SIGTERM, leave);
    raise(SIGTERM);
}

static void leave_well(int number)
{
    exit(number == SIGALRM ? 0 : 3);
}

/* In a handler, and nearly always in the middle of malloc or free. */
static void by_alarm(void)
{
    struct itimerval soon = {.it_value = {.tv_usec = 5000}};

    signal(SIGALRM, leave_well);
    setitimer(ITIMER_REAL, &soon, NULL);
    for (;;)
        GIVE(TAKE(64));
}

void free_at_last(void (*give)(void *), void *block);

static void give(void *block)
{
    GIVE(block);
}

/* A library's destructor frees it, behind those of what is preloaded. */
static void by_destructor(void)
{
    free_at_last(give, TAKE(SIZE));
}

static bool ended_well(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && status == 0;
}

static bool all_are(const char *block, size_t size, char value)
{
    while (size && block[size - 1] == value)
        size--;
    return size == 0;
}

/* The child has its copy, and an allocator of its own. */
static void fork_and_give(void *block)
{
    pid_t pid;

    memset(block, 's', SIZE);
    pid = fork();
    if (pid == 0) {
        char *other = TAKE(5000);
        if (!other || !all_are(block, SIZE, 's'))
            _exit(3);
        memset(other, 'o', 5000);
        GIVE(other);
        GIVE(block);
        _exit(0);
    }
    if (!ended_well(pid))
        _exit(4);
    GIVE(block);
}

/* Forks behind the destructors of what is preloaded. */
static void by_fork_at_last(void)
{
    free_at_last(fork_and_give, TAKE(SIZE));
}

/* A child that nobody announced ends in order. */
static void by_raw_child(void)
{
    void *block = TAKE(SIZE);
    pid_t pid = _Fork();

    if (pid == 0)
        exit(0);
    if (!ended_well(pid))
        _exit(4);
    GIVE(block);
}

static void closed(void)
{
    close(2);
}

/* The next file gets the number 2. */
static void reused(void)
{
    close(2);
    if (open("data", O_RDWR | O_CREAT, 0600) != 2 || write(2, "data\n", 5) != 5)
        _exit(3);
}

static void forked(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        printf("child %d\n", getpid());
        GIVE(TAKE(20));
        exit(0);
    }
    if (!ended_well(pid))
        _exit(3);
}

static const struct {
    const char *name;
    void (*run)(void);
} ways[] = {
    {"return", by_return},
    {"exit", by_exit},
    {"_exit", by_exit_now},
    {"quick_exit", by_quick_exit},
    {"thread", by_thread},
    {"pthread_exit", by_pthread_exit},
    {"exec", by_exec},
    {"term", by_term},
    {"abort", by_abort},
    {"handler", by_handler},
    {"closed", closed},
    {"reused", reused},
    {"forked", forked},
    {"destructor", by_destructor},
    {"alarm", by_alarm},
    {"raw_child", by_raw_child},
    {"fork_at_last", by_fork_at_last},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(ways) / sizeof(*ways); i++) {
        if (strcmp(argv[1], ways[i].name) == 0) {
            void *volatile block = TAKE(100);
            GIVE(block);
            ways[i].run();
            return 0;
        }
    }
    fprintf(stderr, "usage: %s HOW\n", argv[0]);
    return 2;
}
