/* SPDX-License-Identifier: Apache-2.0 */
/* What the library does about memory that the kernel wiped, before a thread touches it. */
#include "os/seccomp_calls.h"
#include "wiping.h"
#include <pthread.h>
#include <time.h>

#define LIMIT "the limit on secret memory is reached"

static void in_grandchild(void *arg)
{
    int status = 0;
    char *p;
    pid_t pid;

    (void)arg;
    begin();
    p = secret(100);
    CHECK(secretmem_on_wipe(NULL, NULL) == 0);
    pid = fork();
    if (pid == 0) {
        CHECK(*p == 1 && secretmem_wiped() == 0);
        wipe(p);
        CHECK(secretmem_wiped() == 1);
        touch(p);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    CHECK(*p == 1 && secretmem_wiped() == 0);
    _exit(5);
}

/* A child could not have the secrets. Without the look the child alone would end. */
static void forks(void *arg)
{
    (void)arg;
    begin();
    arg = secret(100);
    secretmem_on_wipe(NULL, NULL);
    wipe(arg);
    if (fork() == 0)
        _exit(0);
    _exit(6);
}

/* As in a fork whose handlers have blocked all signals already. */
static void forks_blocked(void *arg)
{
    sigset_t mask;

    sigfillset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    forks(arg);
}

static void forks_with_arena(void *arg)
{
    (void)arg;
    begin();
    arg = secretmem_arena_create(10000, SECRETMEM_ARENA_REQUIRE);
    arg = secretmem_arena_malloc(arg, 100);
    secretmem_on_wipe(NULL, NULL);
    wipe(arg);
    if (fork() == 0)
        _exit(0);
    _exit(6);
}

Test(wiped_query, fork)
{
    expect_end(in_grandchild, SM_WIPE_OFFERED, 5, 1);
    expect_end(forks, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    expect_end(forks, SM_WIPE_NEVER, 6, 0);
    expect_end(forks_blocked, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    expect_end(forks_with_arena, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    expect_end(forks_with_arena, SM_WIPE_NEVER, 6, 0);
}

/* A page that was not resident answers as at the limit. */
static void allocates(void *arg)
{
    char *last;

    (void)arg;
    begin();
    arg = secret(100);
    secretmem_on_wipe(NULL, NULL);
    /* The rest of the chunk, and the page that is in use */
    wipe_bytes(arg, 8 * os_page());
    last = secretmem_malloc(os_page());
    if (known == SM_WIPE_OFFERED)
        _exit(9);
    CHECK(last && !secretmem_contains(last));
    _exit(6);
}

Test(wiped_query, allocation)
{
    char text[4096];

    expect_end(allocates, SM_WIPE_OFFERED, ENDED_BY(SIGBUS), 1);
    cr_assert_eq(in_child_saying(allocates, NULL, text, sizeof(text)), ENDED_BY(SIGBUS));
    cr_assert_eq(count_of(text, LIMIT), 0);
    known = SM_WIPE_NEVER;
    cr_assert_eq(in_child_saying(allocates, NULL, text, sizeof(text)), 6);
    cr_assert_eq(count_of(text, LIMIT), 1);
}

static void heap(void *arg)
{
    begin();
    arg = secret(100);
    CHECK(secretmem_wiped() == 0);
    wipe(arg);
    errno = 0;
    CHECK(secretmem_wiped() == (known == SM_WIPE_OFFERED) && errno == 0);
    _exit(5);
}

static void large_block(void *arg)
{
    begin();
    arg = secret(40 * os_page());
    CHECK(secretmem_wiped() == 0);
    wipe(arg);
    CHECK(secretmem_wiped() == 1);
    _exit(5);
}

/* Blocks come and go, and guard pages: no page without access is taken for a wiped one. */
static void busy(void *arg)
{
    void *blocks[200] = {0};
    uint64_t random = 1;

    (void)arg;
    begin();
    for (int i = 0; i < 20000; i++) {
        size_t at = next_random(&random) % 200;
        secretmem_free(blocks[at]);
        blocks[at] = secretmem_malloc(next_random(&random) % (i % 8 ? 2000 : 100000));
        if (i % 16 == 0)
            CHECK(secretmem_wiped() == 0);
    }
    for (int i = 0; i < 200; i++)
        secretmem_free(blocks[i]);
    CHECK(secretmem_wiped() == 0);
    _exit(5);
}

static volatile bool stop;

static void *exchange_blocks(void *arg)
{
    void *blocks[100] = {0};
    uint64_t random = (uintptr_t)arg;

    while (!stop) {
        size_t at = next_random(&random) % 100;
        secretmem_free(blocks[at]);
        blocks[at] = secretmem_malloc(next_random(&random) % 100000);
    }
    return NULL;
}

/* Large blocks lose their access when they are freed, and chunks their memory. */
static void busy_threads(void *arg)
{
    pthread_t threads[3];
    uint64_t looked = 0;

    begin();
    CHECK(secretmem_configure("QUARANTINE", "8M") == SECRETMEM_OK);
    for (uintptr_t i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, exchange_blocks, (void *)(i + 1)) == 0);
    for (time_t end = time(NULL) + 2; time(NULL) < end; looked++)
        CHECK(secretmem_wiped() == 0);
    stop = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], &arg);
    CHECK(looked > 100);
    _exit(5);
}

static void filtered(void *arg)
{
    begin();
    arg = secret(100);
    wipe(arg);
    sm_seccomp_fatal = SM_CALL_BIT(SM_CALL_SIGPROCMASK);
    errno = 0;
    CHECK(secretmem_wiped() == -1 && errno == EPERM);
    sm_seccomp_fatal = SM_CALL_BIT(SM_CALL_SIGACTION);
    errno = 0;
    CHECK(secretmem_on_wipe(NULL, NULL) == -1 && errno == EPERM);
    _exit(5);
}

Test(wiped_query, heap)
{
    expect_end(heap, SM_WIPE_OFFERED, 5, 0);
    expect_end(heap, SM_WIPE_NEVER, 5, 0);
    expect_end(large_block, SM_WIPE_OFFERED, 5, 0);
    expect_end(busy, SM_WIPE_OFFERED, 5, 0);
    expect_end(busy_threads, SM_WIPE_OFFERED, 5, 0);
    expect_end(filtered, SM_WIPE_OFFERED, 5, 0);
}

/* Another one can be made when it is destroyed. */
static void check_arena(unsigned flags)
{
    secretmem_arena *arena = secretmem_arena_create(10000, SECRETMEM_ARENA_REQUIRE | flags);
    char *p = secretmem_arena_malloc(arena, 100);

    CHECK(p && secretmem_wiped() == 0);
    wipe(p);
    CHECK(secretmem_wiped() == 1);
    CHECK(secretmem_arena_destroy(arena) == 0);
    CHECK(secretmem_wiped() == 0);
    arena = secretmem_arena_create(10000, SECRETMEM_ARENA_REQUIRE | flags);
    p = secretmem_arena_malloc(arena, 100);
    memset(p, 1, 100);
    CHECK(secretmem_wiped() == 0);
    CHECK(secretmem_arena_destroy(arena) == 0);
}

static void arenas(void *arg)
{
    (void)arg;
    begin();
    check_arena(0);
    check_arena(SECRETMEM_ARENA_FORK_DENY);
    _exit(5);
}

/* With a protection key the thread opens it; otherwise the program has to. */
static void sealed(void *arg)
{
    secretmem_arena *arena;
    struct secretmem_arena_stats stats;
    bool keyed;
    char *p;

    (void)arg;
    begin();
    arena = secretmem_arena_create(10000, SECRETMEM_ARENA_REQUIRE | SECRETMEM_ARENA_SEALED);
    p = secretmem_arena_malloc(arena, 100);
    CHECK(secretmem_arena_get_stats(arena, &stats, sizeof(stats)) == 0);
    keyed = stats.seal == SECRETMEM_SEALED_BY_KEY;
    errno = 0;
    CHECK(keyed ? secretmem_wiped() == 0 : secretmem_wiped() == -1 && errno == EACCES);
    CHECK(!accessible(p));
    CHECK(secretmem_begin(arena) == 0);
    CHECK(secretmem_wiped() == 0);
    wipe(p);
    CHECK(secretmem_wiped() == 1);
    CHECK(secretmem_end(arena) == 0);
    errno = 0;
    CHECK(keyed ? secretmem_wiped() == 1 : secretmem_wiped() == -1 && errno == EACCES);
    CHECK(secretmem_arena_destroy(arena) == 0);
    CHECK(secretmem_wiped() == 0);
    _exit(5);
}

Test(wiped_query, arenas)
{
    expect_end(arenas, SM_WIPE_OFFERED, 5, 0);
    expect_end(sealed, SM_WIPE_OFFERED, 5, 0);
}
