/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed arenas: by protection keys where the processor has them, else by mprotect. */
#include "api.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#define SEALED (SECRETMEM_ARENA_SEALED | SECRETMEM_ARENA_REQUIRE)

/* The kernel's word: this process may use protection keys. */
static bool has_keys(void)
{
    char line[8192];
    FILE *file = fopen("/proc/cpuinfo", "r");
    bool found = false;

    while (!found && fgets(line, sizeof(line), file))
        found = strncmp(line, "flags", 5) == 0 && strstr(line, " ospke");
    fclose(file);
    return found;
}

/* Takes all protection keys, so that none is left for arenas. */
static void take_keys(void)
{
    while (syscall(SYS_pkey_alloc, 0, 0) > 0)
        ;
}

static char *secret_in(secretmem_arena *arena)
{
    char *p = secretmem_arena_malloc(arena, 100);

    cr_assert_eq(secretmem_begin(arena), 0);
    strcpy(p, "a secret");
    cr_assert_eq(secretmem_end(arena), 0);
    return p;
}

static void check_access(secretmem_arena *arena)
{
    char *p = secret_in(arena);

    cr_assert_not(readable(p));
    cr_assert_eq(secretmem_contains(p), 1);
    cr_assert_eq(secretmem_begin(arena), 0);
    cr_assert(readable(p));
    cr_assert_not(seen_from_outside(p), "open or not");
    cr_assert_eq(secretmem_begin(arena), 0, "they nest");
    cr_assert_eq(state_of(arena).opened, 2);
    cr_assert_eq(secretmem_end(arena), 0);
    cr_assert_str_eq(p, "a secret");
    cr_assert_eq(secretmem_arena_destroy(arena), -1);
    cr_assert_eq(errno, EBUSY);
    cr_assert_eq(secretmem_end(arena), 0);
    cr_assert_not(readable(p));
    errno = 0;
    cr_assert_eq(secretmem_end(arena), -1, "once too often");
    cr_assert_eq(errno, EPERM);
    /* Whatever the library does there by itself leaves it closed. */
    p = secretmem_realloc(p, 1000);
    cr_assert_not_null(p);
    cr_assert_not(readable(p));
    cr_assert_eq(secretmem_begin(arena), 0);
    cr_assert_str_eq(p, "a secret");
    cr_assert_eq(secretmem_end(arena), 0);
    secretmem_free(p);
    cr_assert_eq(state_of(arena).opened, 0);
    cr_assert_eq(secretmem_arena_destroy(arena), 0);
}

Test(sealed_arena, access)
{
    secretmem_arena *arena = secretmem_arena_create(8192, SEALED);

    cr_assert_not_null(arena);
    cr_assert_eq(state_of(arena).seal,
                 has_keys() ? SECRETMEM_SEALED_BY_KEY : SECRETMEM_SEALED_BY_MPROTECT);
    check_access(arena);
}

Test(sealed_arena, access_by_mprotect)
{
    secretmem_arena *arena;

    take_keys();
    arena = secretmem_arena_create(8192, SEALED);
    cr_assert_eq(state_of(arena).seal, SECRETMEM_SEALED_BY_MPROTECT);
    check_access(arena);
}

/* The control: an arena that is not sealed is accessible. */
Test(sealed_arena, not_sealed)
{
    secretmem_arena *arena = secretmem_arena_create(8192, SECRETMEM_ARENA_REQUIRE);

    cr_assert_eq(state_of(arena).seal, SECRETMEM_NOT_SEALED);
    cr_assert(readable(secretmem_arena_malloc(arena, 1)));
}

Test(sealed_arena, load, .signal = SIGSEGV)
{
    volatile char *p = secret_in(secretmem_arena_create(4096, SEALED));

    (void)*p;
}

Test(sealed_arena, too_deep)
{
    secretmem_arena *arena = secretmem_arena_create(4096, SEALED);

    for (int i = 0; i < 255; i++)
        cr_assert_eq(secretmem_begin(arena), 0);
    cr_assert_eq(secretmem_begin(arena), -1);
    cr_assert_eq(errno, EOVERFLOW);
    for (int i = 0; i < 255; i++)
        cr_assert_eq(secretmem_end(arena), 0);
    cr_assert_eq(secretmem_arena_destroy(arena), 0);
}

/* More sealed arenas than there are keys: each has a seal, and opening one opens no other. */
Test(sealed_arena, more_than_keys)
{
    secretmem_arena *arenas[30];
    char *blocks[30];

    for (int i = 0; i < 30; i++) {
        arenas[i] = secretmem_arena_create(4096, SEALED);
        blocks[i] = secret_in(arenas[i]);
    }
    for (int i = 0; i < 30; i++) {
        cr_assert_eq(secretmem_begin(arenas[i]), 0);
        for (int j = 0; j < 30; j++)
            cr_assert_eq(readable(blocks[j]), i == j, "%d, %d", i, j);
        cr_assert_eq(secretmem_end(arenas[i]), 0);
    }
    cr_assert_eq(state_of(arenas[29]).seal, SECRETMEM_SEALED_BY_MPROTECT);
}

/* Keys are given back. */
Test(sealed_arena, keys_again)
{
    for (int i = 0; i < 100; i++) {
        secretmem_arena *arena = secretmem_arena_create(4096, SEALED);
        cr_assert_eq(state_of(arena).seal,
                     has_keys() ? SECRETMEM_SEALED_BY_KEY : SECRETMEM_SEALED_BY_MPROTECT);
        cr_assert_eq(secretmem_arena_destroy(arena), 0);
    }
}

static struct other {
    secretmem_arena *arena;
    char *p;
    pthread_barrier_t turns;
    bool reads;
    int end, error;
} other;

static void *other_thread(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&other.turns);
    other.reads = readable(other.p);
    other.end = secretmem_end(other.arena);
    other.error = errno;
    pthread_barrier_wait(&other.turns);
    return NULL;
}

/* With keys another thread has no access meanwhile; by mprotect it has, but cannot end it. */
static void check_other_thread(unsigned seal)
{
    pthread_t thread;

    other.arena = secretmem_arena_create(4096, SEALED);
    cr_assert_eq(state_of(other.arena).seal, seal);
    other.p = secret_in(other.arena);
    pthread_barrier_init(&other.turns, NULL, 2);
    pthread_create(&thread, NULL, other_thread, NULL);
    cr_assert_eq(secretmem_begin(other.arena), 0);
    pthread_barrier_wait(&other.turns);
    pthread_barrier_wait(&other.turns);
    pthread_join(thread, NULL);
    cr_assert_eq(other.reads, seal == SECRETMEM_SEALED_BY_MPROTECT);
    cr_assert_eq(other.end, -1);
    cr_assert_eq(other.error, EPERM);
    cr_assert_eq(secretmem_end(other.arena), 0);
}

Test(sealed_arena, other_thread)
{
    check_other_thread(has_keys() ? SECRETMEM_SEALED_BY_KEY : SECRETMEM_SEALED_BY_MPROTECT);
}

Test(sealed_arena, other_thread_by_mprotect)
{
    take_keys();
    check_other_thread(SECRETMEM_SEALED_BY_MPROTECT);
}

static void *open_often(void *arg)
{
    const char *p = other.p;

    (void)arg;
    for (int i = 0; i < 5000; i++) {
        if (secretmem_begin(other.arena) != 0 || strcmp(p, "a secret") != 0 ||
            secretmem_end(other.arena) != 0)
            return other.arena;
    }
    return NULL;
}

static void check_threads(void)
{
    pthread_t threads[4];
    void *failed;

    other.arena = secretmem_arena_create(4096, SEALED);
    other.p = secret_in(other.arena);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, open_often, NULL);
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        int status;
        if (pid == 0) /* Whatever other threads had open, nobody has in the child. */
            _exit(readable(other.p) || state_of(other.arena).opened || open_often(NULL));
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert_eq(status, 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        cr_assert_null(failed);
    }
    cr_assert_eq(state_of(other.arena).opened, 0);
    cr_assert_not(readable(other.p));
}

Test(sealed_arena, threads_and_forks)
{
    check_threads();
}

Test(sealed_arena, threads_and_forks_by_mprotect)
{
    take_keys();
    check_threads();
}

static void child_of_closed(void *arg)
{
    char *p = arg;

    EXPECT(!readable(p));
    EXPECT(secretmem_begin(other.arena) == 0);
    EXPECT(strcmp(p, "a secret") == 0 && !seen_from_outside(p));
    strcpy(p, "the child's");
    EXPECT(secretmem_end(other.arena) == 0);
    EXPECT(!readable(p));
    secretmem_free(p);
    EXPECT(secretmem_arena_destroy(other.arena) == 0);
}

static void child_of_open(void *arg)
{
    EXPECT(strcmp(arg, "a secret") == 0);
    EXPECT(secretmem_end(other.arena) == 0);
    child_of_closed(arg);
}

static void check_fork(void)
{
    other.arena = secretmem_arena_create(4096, SEALED);
    other.p = secret_in(other.arena);
    cr_assert_eq(child_of(child_of_closed, other.p), 0);
    cr_assert_not(readable(other.p));
    cr_assert_eq(secretmem_begin(other.arena), 0);
    cr_assert_eq(child_of(child_of_open, other.p), 0);
    cr_assert_str_eq(other.p, "a secret");
    cr_assert_eq(secretmem_end(other.arena), 0);
    cr_assert_not(readable(other.p));
}

Test(sealed_arena, fork)
{
    check_fork();
}

Test(sealed_arena, fork_by_mprotect)
{
    take_keys();
    check_fork();
}

/* A filter that the program installs later: no access, and what cannot be cleared ends the
 * process. */
Test(sealed_arena, mprotect_refused)
{
    char *p;

    take_keys();
    other.arena = secretmem_arena_create(4096, SEALED);
    p = secret_in(other.arena);
    refuse_call(SYS_mprotect);
    errno = 0;
    cr_assert_eq(secretmem_begin(other.arena), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_null(secretmem_arena_malloc(other.arena, 1));
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(secretmem_arena_destroy(other.arena), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_not(readable(p));
}

Test(sealed_arena, mprotect_refused_to_end)
{
    char *p;

    take_keys();
    other.arena = secretmem_arena_create(4096, SEALED);
    p = secret_in(other.arena);
    cr_assert_eq(secretmem_begin(other.arena), 0);
    refuse_call(SYS_mprotect);
    cr_assert_eq(secretmem_end(other.arena), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(state_of(other.arena).opened, 1, "the access goes on");
    cr_assert_str_eq(p, "a secret");
}

Test(sealed_arena, mprotect_refused_to_free, .signal = SIGABRT)
{
    char *p;

    take_keys();
    other.arena = secretmem_arena_create(4096, SEALED);
    p = secret_in(other.arena);
    refuse_call(SYS_mprotect);
    secretmem_free(p);
}

static void child_denied(void *arg)
{
    EXPECT(!readable(arg));
    EXPECT(secretmem_begin(other.arena) == -1 && errno == EACCES);
    EXPECT(secretmem_end(other.arena) == -1 && errno == EACCES);
}

Test(sealed_arena, fork_denied)
{
    other.arena = secretmem_arena_create(4096, SEALED | SECRETMEM_ARENA_FORK_DENY);
    other.p = secret_in(other.arena);
    cr_assert_eq(child_of(child_denied, other.p), 0);
    cr_assert_eq(secretmem_begin(other.arena), 0);
    cr_assert_str_eq(other.p, "a secret");
}

static bool made_enough;

static void *make_often(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&made_enough, __ATOMIC_RELAXED)) {
        secretmem_arena *arena = secretmem_arena_create(4096, SEALED);
        if (!arena || !secretmem_arena_malloc(arena, 10) || secretmem_arena_destroy(arena) != 0)
            return arg;
    }
    return NULL;
}

/* A fork in the middle of making, or of destroying, a sealed arena finds nothing that it cannot
 * copy. */
static void check_made(void)
{
    pthread_t threads[2];
    void *failed;
    int status;

    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, make_often, &other), 0);
    for (int i = 0; i < 150; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert_eq(status, 0);
    }
    __atomic_store_n(&made_enough, true, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &failed);
        cr_assert_null(failed);
    }
}

Test(sealed_arena, made_while_forking)
{
    check_made();
}

Test(sealed_arena, made_while_forking_by_mprotect)
{
    take_keys();
    check_made();
}
