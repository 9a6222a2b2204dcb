/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of leaks.c with threads and children. */
#include "leaks.h"
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static SEEN void ten_of_64(void)
{
    for (int i = 0; i < 10; i++)
        keep(TAKE(64));
}

static void *busy(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++)
        come_and_go();
    ten_of_64();
    return NULL;
}

void threads(void)
{
    pthread_t thread[4];

    three_of_100();
    for (int i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, busy, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
}

static SEEN void in_the_child(void)
{
    keep(TAKE(77));
}

static bool wait_good(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void forked(void)
{
    pid_t pid;

    three_of_100();
    pid = fork();
    if (pid == 0) {
        in_the_child();
        come_and_go();
        exit(0);
    }
    if (!wait_good(pid))
        _exit(4);
    one_of_5000();
}

static void *volatile by_handler;

static SEEN void handler_allocates(void)
{
    GIVE(by_handler);
    by_handler = TAKE(33);
}

static void *forks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            come_and_go();
            _exit(0);
        }
        if (!wait_good(pid))
            _exit(4);
    }
    return NULL;
}

/* Handlers of fork allocate, and so do other threads meanwhile. */
void fork_handlers(void)
{
    pthread_t thread[3];

    by_handler = TAKE(33);
    pthread_atfork(handler_allocates, handler_allocates, handler_allocates);
    for (int i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, i ? busy : forks, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    GIVE(by_handler);
}

static void *nothing(void *arg)
{
    return arg;
}

void late(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, nothing, NULL);
    pthread_join(thread, NULL);
    three_of_100();
}

static volatile int stage;

/* The linker's lock is held until the main thread has allocated, and its child,
 * too. */
static int hold_lock(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)info, (void)size, (void)arg;
    stage = 1;
    while (stage == 1)
        usleep(1000);
    return 1;
}

static void *hold_lock_in_thread(void *arg)
{
    dl_iterate_phdr(hold_lock, arg);
    return NULL;
}

void linker_lock(void)
{
    pthread_t thread;
    pid_t pid;

    GIVE(TAKE(10));
    alarm(20);
    pthread_create(&thread, NULL, hold_lock_in_thread, NULL);
    while (!stage)
        usleep(1000);
    three_of_100();
    pid = fork();
    if (pid == 0) {
        alarm(20);
        below(5);
        come_and_go();
        _exit(0);
    }
    if (!wait_good(pid))
        _exit(4);
    one_of_5000();
    stage = 2;
    pthread_join(thread, NULL);
}
