/* SPDX-License-Identifier: Apache-2.0 */
/* The handler of SIGBUS for secret memory that the kernel wiped. */
#include "wiping.h"
#include <pthread.h>
#include <setjmp.h>

static void registered(void *arg)
{
    char *p;

    (void)arg;
    begin();
    p = secret(100);
    CHECK(secretmem_on_wipe(NULL, NULL) == 0);
    CHECK(*p == 1);
    wipe(p);
    touch(p);
}

static void not_registered(void *arg)
{
    char *p;

    (void)arg;
    begin();
    p = secret(100);
    wipe(p);
    touch(p);
}

static void not_offered(void *arg)
{
    struct sigaction action;
    char *p;

    (void)arg;
    begin();
    p = secret(100);
    errno = 0;
    CHECK(secretmem_on_wipe(NULL, NULL) == -1 && errno == EOPNOTSUPP);
    CHECK(sigaction(SIGBUS, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    wipe(p);
    CHECK(secretmem_wiped() == 0);
    touch(p);
}

Test(wiped, line)
{
    expect_end(registered, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    expect_end(not_registered, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 0);
    expect_end(not_offered, SM_WIPE_NEVER, ENDED_BY(SIGBUS), 0);
    /* On the kernel of this machine, unless it can wipe */
    if (!sm_wipe_offered())
        expect_end(not_offered, SM_WIPE_NOT_ASKED, ENDED_BY(SIGBUS), 0);
}

static void wiped_in_arena(unsigned flags)
{
    secretmem_arena *arena;
    void *p;

    begin();
    arena = secretmem_arena_create(10000, SECRETMEM_ARENA_REQUIRE | flags);
    p = secretmem_arena_malloc(arena, 100);
    CHECK(secretmem_on_wipe(NULL, NULL) == 0);
    if (flags & SECRETMEM_ARENA_SEALED)
        CHECK(secretmem_begin(arena) == 0);
    wipe(p);
    touch(p);
}

static void arena_memory(void *arg)
{
    (void)arg;
    wiped_in_arena(SECRETMEM_ARENA_FORK_DENY);
}

static void inherited_arena(void *arg)
{
    (void)arg;
    wiped_in_arena(0);
}

static void sealed_arena(void *arg)
{
    (void)arg;
    wiped_in_arena(SECRETMEM_ARENA_SEALED);
}

static void descriptor(void *arg)
{
    int fd;

    (void)arg;
    begin();
    fd = secretmem_fd_create(100);
    arg = secretmem_fd_map(fd, NULL);
    CHECK(arg && secretmem_on_wipe(NULL, NULL) == 0);
    wipe(arg);
    CHECK(secretmem_wiped() == 1);
    touch(arg);
}

Test(wiped, places)
{
    expect_end(arena_memory, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    expect_end(inherited_arena, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    expect_end(sealed_arena, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    expect_end(descriptor, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
}

static sigjmp_buf back;
static void *touched;
static unsigned calls;

static void jump_back(void *address, void *arg)
{
    CHECK(arg == &back);
    touched = address;
    calls++;
    siglongjmp(back, 1);
}

static void end_with_7(void *address, void *arg)
{
    (void)address, (void)arg;
    _exit(7);
}

static void count_call(void *address, void *arg)
{
    sigset_t mask;

    (void)address, (void)arg;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    CHECK(sigismember(&mask, SIGTERM) == 1);
    CHECK(write(2, "called\n", 7) == 7);
}

static void function_ends(void *arg)
{
    begin();
    arg = secret(100);
    CHECK(secretmem_on_wipe(end_with_7, NULL) == 0);
    wipe(arg);
    touch(arg);
}

static void function_jumps(void *arg)
{
    begin();
    arg = secret(100);
    CHECK(secretmem_on_wipe(end_with_7, NULL) == 0);
    CHECK(secretmem_on_wipe(jump_back, &back) == 0); /* in its place */
    wipe(arg);
    for (unsigned i = 0; i < 20; i++) {
        touched = NULL;
        if (sigsetjmp(back, 1) == 0)
            touch((char *)arg + i);
        CHECK(touched == (char *)arg + i);
    }
    CHECK(calls == 20);
    _exit(8);
}

static void function_returns(void *arg)
{
    begin();
    arg = secret(100);
    CHECK(secretmem_on_wipe(count_call, NULL) == 0);
    wipe(arg);
    touch(arg);
}

Test(wiped, function)
{
    char text[4096];

    expect_end(function_ends, SM_WIPE_OFFERED, 7, 0);
    expect_end(function_jumps, SM_WIPE_OFFERED, 8, 0);
    expect_end(function_returns, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    cr_assert_eq(in_child_saying(function_returns, NULL, text, sizeof(text)), ENDED_BY(SIGBUS));
    cr_assert_eq(count_of(text, "called\n"), 1);
    cr_assert_lt((uintptr_t)strstr(text, "called"), (uintptr_t)strstr(text, LINE));
}

static void own_file(void *arg)
{
    begin();
    secret(100);
    CHECK(secretmem_on_wipe(end_with_7, NULL) == 0);
    arg = map_empty_file(NULL, os_page());
    touch(arg);
}

/* A page of the arena that nothing was in, as at the limit. */
static void not_resident(void *arg)
{
    begin();
    arg = secret(100);
    CHECK(secretmem_on_wipe(end_with_7, NULL) == 0);
    arg = (char *)arg + 8 * os_page();
    CHECK(!sm_arena_has_secret(arg));
    wipe(arg);
    touch(arg);
}

static void sent(void *arg)
{
    begin();
    arg = secret(100);
    wipe(arg);
    CHECK(secretmem_on_wipe(end_with_7, NULL) == 0);
    kill(getpid(), SIGBUS);
    _exit(9);
}

static void blocked(void *arg)
{
    sigset_t mask;

    begin();
    arg = secret(100);
    CHECK(secretmem_on_wipe(end_with_7, NULL) == 0);
    sigfillset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    wipe(arg);
    touch(arg);
}

/* What is not for the library ends the process as without it. */
Test(wiped, others)
{
    expect_end(own_file, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 0);
    expect_end(not_resident, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 0);
    expect_end(sent, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 0);
    expect_end(blocked, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 0);
}

static volatile sig_atomic_t handled;

static void own_handler(int number, siginfo_t *info, void *context)
{
    sigset_t mask;

    (void)context;
    CHECK(number == SIGBUS);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    CHECK(sigismember(&mask, SIGBUS) == 1 && sigismember(&mask, SIGUSR1) == 1);
    CHECK(sigismember(&mask, SIGTERM) == 0);
    handled++;
    if (info->si_code > 0)
        siglongjmp(back, 1);
}

static void set_own_handler(void)
{
    struct sigaction action = {.sa_sigaction = own_handler, .sa_flags = SA_SIGINFO};

    sigaddset(&action.sa_mask, SIGUSR1);
    CHECK(sigaction(SIGBUS, &action, NULL) == 0);
}

static void earlier_handler(void *arg)
{
    void *file = map_empty_file(NULL, os_page());

    begin();
    arg = secret(100);
    set_own_handler();
    CHECK(secretmem_on_wipe(NULL, NULL) == 0);
    wipe(arg);
    if (sigsetjmp(back, 1) == 0)
        touch(file);
    CHECK(handled == 1);
    kill(getpid(), SIGBUS);
    CHECK(handled == 2);
    touch(arg);
    _exit(9);
}

/* A handler for one time */
static void earlier_once(void *arg)
{
    struct sigaction action = {.sa_sigaction = own_handler,
                               .sa_flags = SA_SIGINFO | (int)SA_RESETHAND};

    begin();
    arg = secret(100);
    sigaddset(&action.sa_mask, SIGUSR1);
    CHECK(sigaction(SIGBUS, &action, NULL) == 0);
    CHECK(secretmem_on_wipe(NULL, NULL) == 0);
    kill(getpid(), SIGBUS);
    CHECK(handled == 1);
    kill(getpid(), SIGBUS);
    touch(arg);
    _exit(9);
}

static void later_handler(void *arg)
{
    begin();
    arg = secret(100);
    CHECK(secretmem_on_wipe(end_with_7, NULL) == 0);
    set_own_handler();
    CHECK(secretmem_on_wipe(end_with_7, NULL) == 0);
    wipe(arg);
    if (sigsetjmp(back, 1) == 0)
        touch(arg);
    CHECK(handled == 1);
    _exit(8);
}

static void ignored(void *arg)
{
    begin();
    arg = secret(100);
    signal(SIGBUS, SIG_IGN);
    CHECK(secretmem_on_wipe(NULL, NULL) == 0);
    kill(getpid(), SIGBUS);
    wipe(arg);
    touch(arg);
}

Test(wiped, handlers)
{
    expect_end(earlier_handler, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    expect_end(earlier_once, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 0);
    expect_end(later_handler, SM_WIPE_OFFERED, 8, 0);
    expect_end(ignored, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
}

#define THREADS 8

static pthread_barrier_t together;

static void *touch_together(void *p)
{
    pthread_barrier_wait(&together);
    touch(p);
    return NULL;
}

static void by_threads(void *arg)
{
    pthread_t thread;

    begin();
    arg = secret(100);
    CHECK(secretmem_on_wipe(NULL, NULL) == 0);
    pthread_barrier_init(&together, NULL, THREADS);
    wipe(arg);
    for (int i = 1; i < THREADS; i++)
        CHECK(pthread_create(&thread, NULL, touch_together, arg) == 0);
    touch_together(arg);
}

Test(wiped, threads)
{
    for (int i = 0; i < 50; i++)
        expect_end(by_threads, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
}
