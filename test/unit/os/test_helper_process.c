/* SPDX-License-Identifier: Apache-2.0 */
/* What needs a descriptor works without one, and without anybody seeing it. */
#include "base/counters.h"
#include "heap/malloc.h"
#include "log/log.h"
#include "os/helper_process.h"
#include "os/pages.h"
#include "os/seccomp.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int seen_fd = -1;
static pid_t seen_pid;

static void open_file(void *arg)
{
    (void)arg;
    seen_pid = (pid_t)syscall(SYS_getpid);
    seen_fd = open("/dev/null", O_RDONLY);
    errno = EDOM;
}

static void *idle(void *arg)
{
    (void)arg;
    pause();
    return NULL;
}

static void become_threaded(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, idle, NULL) != 0)
        abort();
}

Test(helper, own_descriptors)
{
    pid_t child;

    errno = ERANGE;
    cr_assert(sm_helper_force(open_file, NULL));
    cr_assert_eq(errno, ERANGE);
    cr_assert_neq(seen_pid, getpid());
    cr_assert_geq(seen_fd, 0, "it opened one");
    cr_assert_eq(fcntl(seen_fd, F_GETFD), -1, "which is not ours");
    child = waitpid(-1, NULL, WNOHANG | __WALL);
    cr_assert(child == -1 && errno == ECHILD, "and it left no child");
}

Test(helper, run_with_threads)
{
    become_threaded();
    sm_helper_run(open_file, NULL);
    cr_assert_neq(seen_pid, getpid());
}

static void run_alone(void *arg)
{
    (void)arg;
    /* fork() left this thread alone, and the C library knows. */
    CHECK(__libc_single_threaded || (sm_helper_alone(true), true));
    sm_helper_run(open_file, NULL);
    CHECK(seen_pid == getpid());
    sm_helper_alone(false);
}

Test(helper, run_alone)
{
    cr_assert_eq(in_child(run_alone, NULL), 0);
}

static unsigned children_died;

static void on_child(int signal)
{
    (void)signal;
    children_died++;
}

/* The program must not hear of a process that it did not start. */
Test(helper, no_signal)
{
    signal(SIGCHLD, on_child);
    for (int i = 0; i < 20; i++)
        cr_assert(sm_helper_force(open_file, NULL));
    cr_assert_eq(children_died, 0);
}

static void no_slots(rlim_t limit)
{
    struct rlimit none = {limit, limit};

    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    while (open("/dev/null", O_RDONLY) >= 0)
        ;
    CHECK(errno == EMFILE);
}

static void map_without_slots(void *arg)
{
    bool threads = *(bool *)arg;
    struct sm_secret_map map = {.length = 16 * SM_PAGE};

    start_heap();
    if (threads)
        become_threaded();
    no_slots(16);
    sm_pages_map_secret(&map);
    CHECK(map.error == 0);
    CHECK(sm_pages_populate(map.address) == 0);
    CHECK(fcntl(0, F_GETFD) != -1);
    CHECK(open("/dev/null", O_RDONLY) == -1);
}

Test(helper, no_free_slot)
{
    bool threads = false;

    cr_assert_eq(in_child(map_without_slots, &threads), 0);
    threads = true;
    cr_assert_eq(in_child(map_without_slots, &threads), 0);
}

static void allocate_without_slots(void *arg)
{
    (void)arg;
    start_heap();
    no_slots(8);
    for (int i = 0; i < 200; i++)
        CHECK(sm_is_secret(sm_malloc(10000, SM_PART_KEY)));
    CHECK(sm_stats.degraded == 0);
}

Test(helper, heap_without_slots)
{
    cr_assert_eq(in_child(allocate_without_slots, NULL), 0);
}

static void allocate_without_descriptors(void *arg)
{
    (void)arg;
    start_heap();
    close_range(3, ~0U, 0);
    close(0);
    close(1);
    close(2);
    if (!sm_is_secret(sm_malloc(10000, SM_PART_KEY)))
        _exit(1);
    if (open("/dev/null", O_RDONLY) != 0)
        _exit(2); /* somebody took it */
}

Test(helper, all_closed)
{
    cr_assert_eq(in_child(allocate_without_descriptors, NULL), 0);
}

static void *many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++)
        sm_helper_force(open_file, NULL);
    return NULL;
}

Test(helper, many_threads)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, many, NULL), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
}

/* Each of these is called in making a helper: none is made. */
static void speak_under_filter(void *arg)
{
    int call = *(int *)arg;

    sm_log_init("unit");
    sm_seccomp_fatal = 1U << (call == SYS_rt_sigprocmask ? SM_CALL_SIGPROCMASK
                              : call == SYS_wait4        ? SM_CALL_WAIT4
                                                         : SM_CALL_CLONE);
    filter_call(call, SECCOMP_RET_KILL_PROCESS);
    sm_log("said"); /* to a pipe, for which a helper is used */
    _exit(sm_helper_force(open_file, NULL) ? 1 : 0);
}

Test(helper, filter)
{
    int calls[] = {SYS_rt_sigprocmask, SYS_wait4, SYS_clone};
    char text[256];

    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(in_child_saying(speak_under_filter, &calls[i], text, sizeof(text)), 0);
        cr_assert_eq(count_of(text, "] said\n"), 1, "%s", text);
    }
}
