/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed arenas in children of fork. */
#include "sealed_arena.h"
#include <criterion/criterion.h>
#include <pthread.h>

static struct {
    secretmem_arena *arena;
    char *p;
} sealed;

static void *open_often(void *arg)
{
    const char *p = sealed.p;

    (void)arg;
    for (int i = 0; i < 5000; i++) {
        if (secretmem_begin(sealed.arena) != 0 || strcmp(p, "a secret") != 0 ||
            secretmem_end(sealed.arena) != 0)
            return sealed.arena;
    }
    return NULL;
}

static void check_threads(void)
{
    pthread_t threads[4];
    void *failed;

    sealed.arena = secretmem_arena_create(4096, SEALED);
    sealed.p = secret_in(sealed.arena);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, open_often, NULL);
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        int status;
        if (pid == 0) /* Whatever other threads had open, nobody has in the child. */
            _exit(readable(sealed.p) || state_of(sealed.arena).opened || open_often(NULL));
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert_eq(status, 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        cr_assert_null(failed);
    }
    cr_assert_eq(state_of(sealed.arena).opened, 0);
    cr_assert_not(readable(sealed.p));
}

Test(sealed_arena_fork, threads_and_forks)
{
    check_threads();
}

Test(sealed_arena_fork, threads_and_forks_by_mprotect)
{
    take_keys();
    check_threads();
}

static void child_of_closed(void *arg)
{
    char *p = arg;

    EXPECT(!readable(p));
    EXPECT(secretmem_begin(sealed.arena) == 0);
    EXPECT(strcmp(p, "a secret") == 0 && !seen_from_outside(p));
    strcpy(p, "the child's");
    EXPECT(secretmem_end(sealed.arena) == 0);
    EXPECT(!readable(p));
    secretmem_free(p);
    EXPECT(secretmem_arena_destroy(sealed.arena) == 0);
}

static void child_of_open(void *arg)
{
    EXPECT(strcmp(arg, "a secret") == 0);
    EXPECT(secretmem_end(sealed.arena) == 0);
    child_of_closed(arg);
}

static void check_fork(void)
{
    sealed.arena = secretmem_arena_create(4096, SEALED);
    sealed.p = secret_in(sealed.arena);
    cr_assert_eq(child_of(child_of_closed, sealed.p), 0);
    cr_assert_not(readable(sealed.p));
    cr_assert_eq(secretmem_begin(sealed.arena), 0);
    cr_assert_eq(child_of(child_of_open, sealed.p), 0);
    cr_assert_str_eq(sealed.p, "a secret");
    cr_assert_eq(secretmem_end(sealed.arena), 0);
    cr_assert_not(readable(sealed.p));
}

Test(sealed_arena_fork, copies)
{
    check_fork();
}

Test(sealed_arena_fork, copies_by_mprotect)
{
    take_keys();
    check_fork();
}

static void child_denied(void *arg)
{
    EXPECT(!readable(arg));
    EXPECT(secretmem_begin(sealed.arena) == -1 && errno == EACCES);
    EXPECT(secretmem_end(sealed.arena) == -1 && errno == EACCES);
}

Test(sealed_arena_fork, denied)
{
    sealed.arena = secretmem_arena_create(4096, SEALED | SECRETMEM_ARENA_FORK_DENY);
    sealed.p = secret_in(sealed.arena);
    cr_assert_eq(child_of(child_denied, sealed.p), 0);
    cr_assert_eq(secretmem_begin(sealed.arena), 0);
    cr_assert_str_eq(sealed.p, "a secret");
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
        cr_assert_eq(pthread_create(&threads[i], NULL, make_often, &sealed), 0);
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

Test(sealed_arena_fork, made_while_forking)
{
    check_made();
}

Test(sealed_arena_fork, made_while_forking_by_mprotect)
{
    take_keys();
    check_made();
}
