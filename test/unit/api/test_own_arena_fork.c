/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas of the program's own, in children of fork: copied, or withheld from them. */
#include "api.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

static void child_with_copy(void *arg)
{
    char *p = arg;

    EXPECT(strcmp(p, "inherited") == 0);
    EXPECT(secretmem_contains(p) == 1);
    EXPECT(!seen_from_outside(p));
    strcpy(p, "the child's");
    secretmem_free(p);
}

Test(own_arena_fork, copies)
{
    secretmem_arena *arena = secretmem_arena_create(100000, SECRETMEM_ARENA_REQUIRE);
    char *p = secretmem_arena_malloc(arena, 90000);

    strcpy(p, "inherited");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(child_of(child_with_copy, p), 0);
        cr_assert_str_eq(p, "inherited", "the parent has its own");
    }
    cr_assert_eq(state_of(arena).blocks, 1);
}

static void child_of_child(void *arg)
{
    EXPECT(child_of(child_with_copy, arg) == 0);
    child_with_copy(arg);
}

Test(own_arena_fork, twice)
{
    char *p = secretmem_arena_malloc(secretmem_arena_create(4096, 0), 100);

    strcpy(p, "inherited");
    cr_assert_eq(child_of(child_of_child, p), 0);
}

static void child_that_reads(void *arg)
{
    _exit(*(volatile char *)arg);
}

Test(own_arena_fork, denied)
{
    const unsigned flags = SECRETMEM_ARENA_FORK_DENY | SECRETMEM_ARENA_REQUIRE;
    struct withheld withheld = {.arena = secretmem_arena_create(4096, flags)};
    char *p = withheld.block = secretmem_arena_malloc(withheld.arena, 100);

    *p = 7;
    cr_assert(readable(p));
    cr_assert_eq(child_of(child_without_arena, &withheld), 0);
    cr_assert_eq(child_of(child_that_reads, p), 1000 + SIGSEGV);
    cr_assert_eq(*p, 7);
}

Test(own_arena_fork, setting_denies)
{
    struct withheld withheld;

    cr_assert_eq(secretmem_configure("FORK", "deny"), SECRETMEM_OK);
    withheld.arena = secretmem_arena_create(4096, 0);
    withheld.block = secretmem_arena_malloc(withheld.arena, 100);
    cr_assert_eq(child_of(child_without_arena, &withheld), 0);
    cr_assert(readable(withheld.block));
}

static void *allocate_often(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)i * 7 % 300;
        unsigned char *p = secretmem_arena_malloc(arg, n);
        if (!p)
            return arg;
        for (size_t at = 0; at < n; at++) {
            if (p[at])
                return arg;
        }
        memset(p, i, n);
        secretmem_free(p);
    }
    return NULL;
}

/* Threads allocate while another forks. */
Test(own_arena_fork, threads)
{
    secretmem_arena *arena = secretmem_arena_create(65536, 0);
    pthread_t threads[4];
    void *failed;

    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, allocate_often, arena), 0);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        int status;
        if (pid == 0)
            _exit(allocate_often(arena) != NULL);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert_eq(status, 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        cr_assert_null(failed);
    }
    cr_assert_eq(state_of(arena).blocks, 0);
}

static secretmem_arena *of_handlers;
static void *in_handlers[3];

static void handler_parent(void)
{
    secretmem_free(in_handlers[0]);
}

static void handler_child(void)
{
    in_handlers[2] = secretmem_arena_malloc(of_handlers, 10);
}

static void handler_prepare(void)
{
    in_handlers[1] = secretmem_arena_malloc(of_handlers, 10);
    errno = 0;
    if (secretmem_arena_create(4096, 0) || errno != EBUSY)
        in_handlers[1] = NULL;
}

static void handlers_first(void)
{
    pthread_atfork(handler_prepare, handler_parent, handler_child);
}

/* Before the library's constructor, so that these run between its handlers and the clone. */
__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(void) = handlers_first;

static void child_of_handlers(void *arg)
{
    EXPECT(strcmp(arg, "the child's") == 0);
    EXPECT(in_handlers[1] && in_handlers[2]);
    secretmem_free(arg);
}

Test(own_arena_fork, handlers)
{
    of_handlers = secretmem_arena_create(4096, 0);
    in_handlers[0] = secretmem_arena_malloc(of_handlers, 100);
    strcpy(in_handlers[0], "the child's");
    cr_assert_eq(child_of(child_of_handlers, in_handlers[0]), 0);
    cr_assert_eq(state_of(of_handlers).blocks, 1, "the parent's is free, prepare's is not");
}
