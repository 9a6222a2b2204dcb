/* SPDX-License-Identifier: Apache-2.0 */
/* Children that get no copy, or not all of it, and parents that are never harmed by one. */
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "os/pages.h"
#include "os/syscall.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART SM_PART_KEY

extern char **environ;

static unsigned char *key, *bytes, *large;
static char text[4096];

static void make(void)
{
    start_heap_of(16 * SM_MIB);
    key = sm_malloc(100, SM_PART_KEY);
    bytes = sm_malloc(100, SM_PART_BYTES);
    large = sm_malloc(100000, SM_PART_KEY);
    CHECK(key && bytes && large);
    memset(key, 1, 100);
    memset(bytes, 2, 100);
    memset(large, 3, 100000);
}

static void check(void)
{
    CHECK(all_bytes(key, 1, 100));
    CHECK(all_bytes(bytes, 2, 100));
    CHECK(all_bytes(large, 3, 100000));
}

static int outcome_of(pid_t pid)
{
    int status;

    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? ENDED_BY(WTERMSIG(status)) : WEXITSTATUS(status);
}

/* The whole of a test in a process whose descriptor 2 is looked at. */
#define SAYS(fn, arg, wanted)                                                                  \
    do {                                                                                       \
        int got = in_child_saying((fn), (arg), text, sizeof(text));                            \
        cr_assert_eq(got, 0, "%d: %s", got, text);                                             \
        cr_assert((wanted)[0] ? strstr(text, (wanted)) != NULL : !text[0], "%s", text);        \
    } while (0)

/* A child that nobody announced: no sharing, no copy, a clear end. */
static void raw_children(void *arg)
{
    pid_t pid;

    (void)arg;
    make();
    pid = (pid_t)sm_sys(SYS_clone, SIGCHLD, 0);
    if (pid == 0) {
        sm_malloc(100, PART);
        _exit(0);
    }
    CHECK(outcome_of(pid) == ENDED_BY(SIGABRT));
    pid = _Fork();
    if (pid == 0) {
        sm_free(key);
        _exit(0);
    }
    CHECK(outcome_of(pid) == ENDED_BY(SIGABRT) || outcome_of(pid) == ENDED_BY(SIGSEGV));
    pid = _Fork();
    if (pid == 0) {
        *(volatile unsigned char *)key = 9;
        _exit(0);
    }
    CHECK(outcome_of(pid) == ENDED_BY(SIGSEGV));
    check();
    sm_free(key);
}

Test(fork_limits, raw)
{
    SAYS(raw_children, NULL,
         "fatal: allocation in a child of _Fork or a raw fork, which has no secrets\n");
}

/* It may exec, and what it maps does not land where the arena was. */
static void raw_child_maps(void *arg)
{
    pid_t pid;

    (void)arg;
    make();
    pid = _Fork();
    if (pid == 0) {
        for (int i = 0; i < 1000; i++) {
            void *p = sm_pages_private(SM_MIB, false);
            if (p && sm_arena_owns(p))
                _exit(1);
        }
        execl("/bin/true", "true", NULL);
        _exit(2);
    }
    CHECK(outcome_of(pid) == 0);
    check();
}

Test(fork_limits, raw_maps_and_exec)
{
    SAYS(raw_child_maps, NULL, "");
}

static void spawn(void *arg)
{
    char *argv[] = {"true", NULL};
    pid_t pid;

    (void)arg;
    make();
    CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0);
    CHECK(outcome_of(pid) == 0);
    pid = vfork();
    if (pid == 0) {
        execl("/bin/true", "true", NULL);
        _exit(2);
    }
    CHECK(outcome_of(pid) == 0);
    CHECK(sm_stats.forks == 0);
    check();
}

Test(fork_limits, spawn_costs_nothing)
{
    SAYS(spawn, NULL, "");
}

static void keeps_errno(void *arg)
{
    pid_t pid;

    (void)arg;
    make();
    errno = EDOM;
    pid = fork();
    if (pid == 0)
        _exit(errno != EDOM);
    CHECK(errno == EDOM);
    CHECK(outcome_of(pid) == 0);
}

Test(fork_limits, errno_is_kept)
{
    SAYS(keeps_errno, NULL, "");
}

/* fork() fails: its caller is told why, nobody waits for a child, nothing stays open. */
static void no_process(void *arg)
{
    struct rlimit none = {0, 0};

    (void)arg;
    make();
    become_nobody(SM_MIB);
    CHECK(setrlimit(RLIMIT_NPROC, &none) == 0);
    alarm(3);
    errno = 0;
    CHECK(fork() == -1 && errno == EAGAIN);
    CHECK(mapping_has(key, "dc"));
    CHECK(sm_stats.forks == 0 && sm_stats.fork_failed == 0);
    check();
    sm_free(key);
    CHECK(sm_malloc(100, PART) == key);
}

Test(fork_limits, no_process)
{
    SAYS(no_process, NULL, "");
}

static void deny(void *arg)
{
    pid_t pid;

    (void)arg;
    sm_settings.fork = SM_FORK_DENY;
    make();
    pid = fork();
    if (pid == 0) {
        CHECK(all_bytes(key, 1, 100) && all_bytes(large, 3, 100000));
        CHECK(!sm_is_secret(bytes));
        sm_free(bytes);
        CHECK(sm_malloc(100, SM_PART_BYTES) != NULL);
        _exit(0);
    }
    CHECK(outcome_of(pid) == 0);
    pid = fork();
    if (pid == 0)
        _exit(*(volatile unsigned char *)bytes);
    CHECK(outcome_of(pid) == ENDED_BY(SIGSEGV));
    check();
}

Test(fork_limits, deny)
{
    SAYS(deny, NULL, "");
}

struct limits {
    uint32_t answer; /* to memfd_secret, when there are secrets already */
    size_t memlock;
    bool require;
    enum sm_kind kind; /* of the child's copy */
};

static void copy_elsewhere(void *arg)
{
    const struct limits *limits = arg;
    pid_t pid;

    sm_settings.require = limits->require;
    become_nobody(limits->memlock);
    make();
    CHECK(sm_is_secret(key));
    if (limits->answer)
        filter_call(SYS_memfd_secret, limits->answer);
    pid = fork();
    if (pid == 0) {
        check();
        CHECK(sm_arena.pages[sm_page_number(key)].kind == limits->kind);
        CHECK(sm_is_secret(key) == (limits->kind == SM_KIND_SECRET));
        CHECK(mapping_has(large, "dd"));
        CHECK(limits->kind == SM_KIND_SECRET ||
              mapping_has(large, "lo") == (limits->kind == SM_KIND_LOCKED));
        CHECK((sm_stats.degraded != 0) == (limits->kind != SM_KIND_SECRET));
        sm_free(large);
        large = sm_malloc(100000, PART);
        CHECK(large && all_bytes(large, 0, 100000));
        /* Its own children get theirs from the kernel. */
        memset(large, 8, 100000);
        pid = fork();
        if (pid == 0) {
            CHECK(all_bytes(large, 8, 100000) && all_bytes(key, 1, 100));
            CHECK(limits->kind == SM_KIND_SECRET ||
                  mapping_has(large, "lo") == (limits->kind == SM_KIND_LOCKED));
            sm_free(large);
            _exit(0);
        }
        CHECK(outcome_of(pid) == 0);
        CHECK(all_bytes(large, 8, 100000));
        _exit(0);
    }
    CHECK(outcome_of(pid) == (limits->require ? 78 : 0));
    check();
    CHECK(sm_is_secret(key));
}

Test(fork_limits, child_within_its_limit)
{
    struct limits limits = {0, SM_MIB, true, SM_KIND_SECRET};

    limits.require = false;
    SAYS(copy_elsewhere, &limits, "");
}

Test(fork_limits, copy_in_locked_memory)
{
    struct limits limits = {SECCOMP_RET_ERRNO | ENOSYS, SM_MIB, false, SM_KIND_LOCKED};

    SAYS(copy_elsewhere, &limits, "no secret memory (memfd_secret: ENOSYS)");
    limits.answer = SECCOMP_RET_ERRNO | EPERM;
    SAYS(copy_elsewhere, &limits, "no secret memory (memfd_secret: EPERM)");
}

Test(fork_limits, no_copy_if_required)
{
    struct limits limits = {SECCOMP_RET_ERRNO | ENOSYS, SM_MIB, true, SM_KIND_SECRET};

    SAYS(copy_elsewhere, &limits, ": this child ends\n");
}

/* The parent's pages are locked ones already: the kernel copies, the child locks again. */
static void locked_parent(void *arg)
{
    pid_t pid;

    (void)arg;
    filter_call(SYS_memfd_secret, SECCOMP_RET_ERRNO | ENOSYS);
    sm_settings.zero = 0;
    make();
    CHECK(sm_arena.pages[sm_page_number(key)].kind == SM_KIND_LOCKED);
    sm_free(large);
    pid = fork();
    if (pid == 0) {
        CHECK(all_bytes(key, 1, 100) && all_bytes(bytes, 2, 100));
        CHECK(all_bytes(large, 0, 100000)); /* what was freed is not passed on */
        CHECK(mapping_has(key, "lo") && mapping_has(key, "dd") && mapping_has(key, "dc"));
        memset(key, 7, 100);
        sm_free(key);
        _exit(0);
    }
    CHECK(outcome_of(pid) == 0);
    CHECK(all_bytes(key, 1, 100));
    CHECK(all_bytes(large, 3, 100000));
}

Test(fork_limits, locked_parent)
{
    SAYS(locked_parent, NULL, "no secret memory (memfd_secret: ENOSYS)");
}

/* No descriptor is free in any of them. */
static void no_descriptors(void *arg)
{
    struct rlimit limit = {3, 3};
    pid_t pid;

    (void)arg;
    make();
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(dup(2) == -1 && errno == EMFILE);
    pid = fork();
    if (pid == 0) {
        check();
        CHECK(sm_is_secret(key) && sm_is_secret(sm_malloc(500000, PART)));
        _exit(0);
    }
    CHECK(outcome_of(pid) == 0);
    check();
}

Test(fork_limits, no_descriptors)
{
    SAYS(no_descriptors, NULL, "");
}

/* fork() in a handler of a signal that came while this thread was in malloc. */
static void in_handler(void *arg)
{
    struct sm_thread_cache *cache;
    pid_t pid;

    (void)arg;
    make();
    cache = sm_enter();
    alarm(5);
    pid = fork();
    if (pid == 0) {
        execl("/bin/true", "true", NULL);
        _exit(2);
    }
    sm_leave(cache);
    CHECK(outcome_of(pid) == 0);
    CHECK(sm_stats.forks == 0);
    check();
    CHECK(mapping_has(key, "dc"));
}

Test(fork_limits, inside_malloc)
{
    SAYS(in_handler, NULL, "");
}
