/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed arenas: by protection keys where the processor has them, else by mprotect. */
#include "sealed_arena.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

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
