/* SPDX-License-Identifier: Apache-2.0 */
/* Fork and what else a process may be in the middle of: cancellation, signals, errno, limits.
 *
 *   fork_edge KIND cancel|handler|handler_inside|errno|nproc|freed|freed_visible|limited */
#include "common.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { ERRNO_BEFORE = ENOTTY };

static atomic_int stage;

/* Forks with a cancellation pending: fork is no cancellation point. */
static void *fork_when_cancelled(void *block)
{
    atomic_store(&stage, 1);
    while (atomic_load(&stage) != 2)
        ;
    pid_t child = fork();
    if (child == 0)
        _exit(whole(block, 5000, 4) && OPENSSL_malloc(100) ? 0 : 1);
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    check(status_within(child, 20) == 0, "the child of a cancelled thread is well");
    atomic_store(&stage, 3);
    pthread_setcancelstate(state, NULL);
    pthread_testcancel();
    return NULL;
}

static void cancel(void)
{
    pthread_t id;
    void *result = NULL;
    void *block = filled_block(5000, 4);

    check_kind(block, "a block");
    if (pthread_create(&id, NULL, fork_when_cancelled, block) != 0)
        broken("pthread_create");
    while (atomic_load(&stage) != 1)
        sleep_seconds(0.001);
    pthread_cancel(id);
    atomic_store(&stage, 2);
    for (int i = 0; i < 2000 && atomic_load(&stage) != 3; i++)
        sleep_seconds(0.01);
    check(atomic_load(&stage) == 3, "fork with a pending cancellation returns");
    if (atomic_load(&stage) != 3)
        return;
    pthread_join(id, &result);
    check(result == PTHREAD_CANCELED, "the cancellation is kept for later");
    pid_t child = fork();
    if (child == 0)
        _exit(whole(block, 5000, 4) ? 0 : 1);
    check(status_within(child, 20) == 0, "the next fork works");
}

static atomic_int handled, whole_children;

/* _exit only: what forks here may be in malloc. */
static void fork_and_wait(void)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(0);
    if (child > 0 && waitpid(child, &status, 0) == child && status == 0)
        atomic_fetch_add(&whole_children, 1);
}

static atomic_long period; /* microseconds; 0: no alarms */

static void next_alarm(void)
{
    struct itimerval timer = {{0, 0}, {0, atomic_load(&period)}};

    if (setitimer(ITIMER_REAL, &timer, NULL) != 0)
        broken("setitimer");
}

static void fork_in_handler(int number)
{
    int error = errno;

    (void)number;
    fork_and_wait();
    atomic_fetch_add(&handled, 1);
    next_alarm();
    errno = error;
}

/*
 * SIGALRM again and again, for whatever thread does not block it. The time until the next one
 * begins when a handler is done: where a fork takes longer than that, what the handler
 * interrupts would otherwise never go on.
 */
static void alarms(long microseconds)
{
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};

    if (sigaction(SIGALRM, &action, NULL) != 0)
        broken("sigaction");
    atomic_store(&period, microseconds);
    next_alarm();
}

static void check_forks(int forks)
{
    alarms(0);
    check(atomic_load(&handled) > 10, "%d forks in a handler", atomic_load(&handled));
    check(atomic_load(&whole_children) == forks + atomic_load(&handled),
          "%d children, and all are well", atomic_load(&whole_children));
}

/* A signal comes in the middle of fork, and its handler forks. */
static void handler(void)
{
    double end = seconds_now() + 3;
    int forks = 0;

    check_kind(filled_block(5000, 4), "a block");
    alarms(5000);
    for (; seconds_now() < end; forks++)
        fork_and_wait();
    check_forks(forks);
}

static atomic_bool over;

static void *allocate_always(void *argument)
{
    while (!atomic_load(&over)) {
        for (size_t size = 100; size < 20000; size *= 3)
            OPENSSL_free(OPENSSL_malloc(size));
    }
    return argument;
}

/* A thread's handler forks while it is in malloc, and another thread's fork waits for it. */
static void handler_inside(void)
{
    double end = seconds_now() + 3;
    int forks = 0;
    sigset_t alarm;
    pthread_t id;

    check_kind(filled_block(5000, 4), "a block");
    if (pthread_create(&id, NULL, allocate_always, NULL) != 0)
        broken("pthread_create");
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    alarms(2000);
    for (; seconds_now() < end; forks++)
        fork_and_wait();
    atomic_store(&over, true);
    pthread_join(id, NULL);
    check_forks(forks);
}

static void keep_errno(void)
{
    void *block = filled_block(5000, 4);

    check_kind(block, "a block");
    errno = ERRNO_BEFORE;
    pid_t child = fork();
    int after = errno;
    if (child == 0)
        _exit(after == ERRNO_BEFORE ? 0 : after);
    check(after == ERRNO_BEFORE, "errno after fork in the parent: %s", strerror(after));
    int status = status_of(child);
    check(status == 0, "errno after fork in the child: %s", strerror(status));
    errno = ERRNO_BEFORE;
    OPENSSL_free(OPENSSL_realloc(block, 9000000));
    check(errno == ERRNO_BEFORE, "errno after realloc and free: %s", strerror(errno));
    errno = ERRNO_BEFORE;
    OPENSSL_free(OPENSSL_malloc(17));
    check(errno == ERRNO_BEFORE, "errno after malloc and free: %s", strerror(errno));
}

/* The driver has set the hard limit; no process more can be made below the soft one. */
static void nproc(void)
{
    struct rlimit limit, none;
    void *block = filled_block(5000, 4);

    check_kind(block, "a block");
    if (getrlimit(RLIMIT_NPROC, &limit) != 0)
        broken("getrlimit");
    none = limit;
    none.rlim_cur = 1;
    if (setrlimit(RLIMIT_NPROC, &none) != 0)
        broken("setrlimit");
    for (int turn = 0; turn < 3; turn++) {
        double begin = seconds_now();
        errno = ERRNO_BEFORE;
        pid_t child = fork();
        int after = errno;
        if (child == 0)
            _exit(0);
        check(child == -1 && after == EAGAIN, "a fork that fails says EAGAIN: %s",
              strerror(after));
        check(seconds_now() - begin < 1, "and at once");
        OPENSSL_free(filled_block(70000, 1));
    }
    if (setrlimit(RLIMIT_NPROC, &limit) != 0)
        broken("setrlimit");
    pid_t child = fork();
    if (child == 0)
        _exit(whole(block, 5000, 4) && OPENSSL_malloc(100) ? 0 : 1);
    int status = status_within(child, 20);
    check(status == 0, "a later fork works (status %d)", status);
}

enum { FREED = 300, FREED_SIZE = 3000, PATTERN_SIZE = 64 };

/* How many of the freed blocks still hold some of what they held. */
static int remains(void **blocks)
{
    static unsigned char copy[FREED_SIZE], pattern[FREED_SIZE];
    int found = 0;

    for (uint64_t i = 0; i < FREED; i++) {
        fill(pattern, FREED_SIZE, i);
        if (readable(blocks[i], copy, FREED_SIZE) &&
            memcmp(copy + FREED_SIZE / 2, pattern + FREED_SIZE / 2, PATTERN_SIZE) == 0)
            found++;
    }
    return found;
}

static bool zero_or_gone(void **blocks)
{
    static unsigned char copy[FREED_SIZE];

    for (int i = 0; i < FREED; i++) {
        if (i % 2 == 0 || !readable(blocks[i], copy, FREED_SIZE))
            continue;
        for (int j = 0; j < FREED_SIZE; j++) {
            if (copy[j])
                return false;
        }
    }
    return true;
}

/* Frees every second block and looks at their old places in a child. */
static int freed_in_child(bool must_be_zero)
{
    static void *blocks[FREED];

    for (uint64_t i = 0; i < FREED; i++)
        blocks[i] = filled_block(FREED_SIZE, i);
    check_kind(blocks[0], "blocks");
    for (int i = 1; i < FREED; i += 2)
        OPENSSL_free(blocks[i]);
    pid_t child = fork();
    if (child == 0) {
        int found = remains(blocks) - FREED / 2;
        for (uint64_t i = 0; i < FREED; i += 2) {
            if (!whole(blocks[i], FREED_SIZE, i))
                _exit(255);
        }
        if (must_be_zero && !zero_or_gone(blocks))
            _exit(254);
        _exit(found);
    }
    return status_of(child);
}

static void freed(void)
{
    int found = freed_in_child(true);
    check(found == 0, "memory free in the parent is zero in a child (status %d)", found);
}

/* The control: without the preload the child sees what was freed. */
static void freed_visible(void)
{
    int found = freed_in_child(false);
    check(found > 100 && found <= FREED / 2, "the child can read %d of %d freed blocks", found,
          FREED / 2);
}

/* A child limits itself, and gives up its privileges, before it touches what it has of its
 * parent. */
static void limited(void)
{
    struct rlimit limit = {65536, 65536};
    void *blocks[200];

    for (uint64_t i = 0; i < 200; i++)
        blocks[i] = filled_block(4000, i);
    check_kind(blocks[0], "blocks");
    pid_t child = fork();
    if (child == 0) {
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
            _exit(255);
        for (uint64_t i = 0; i < 200; i++) {
            if (!whole(blocks[i], 4000, i))
                _exit(1);
        }
        _exit(0);
    }
    int status = status_of(child);
    check(status == 0, "a child with a limit has its copy (status %d)", status);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"cancel", cancel},
        {"handler", handler},
        {"handler_inside", handler_inside},
        {"errno", keep_errno},
        {"nproc", nproc},
        {"freed", freed},
        {"freed_visible", freed_visible},
        {"limited", limited},
        {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
