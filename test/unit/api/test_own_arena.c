/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas of the program's own. */
#include "api.h"
#include <criterion/criterion.h>
#include <signal.h>

Test(own_arena, blocks)
{
    secretmem_arena *arena = secretmem_arena_create(10000, SECRETMEM_ARENA_REQUIRE);
    unsigned char *blocks[100], *p;
    size_t count = 0;

    cr_assert_not_null(arena);
    cr_assert_eq(state_of(arena).capacity_bytes % 4096, 0);
    cr_assert_geq(state_of(arena).capacity_bytes, 10000);
    cr_assert_eq(state_of(arena).secret, 1);
    for (size_t n = 0; n < 100; n++) {
        p = blocks[n] = secretmem_arena_malloc(arena, n);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p % 16, 0);
        cr_assert_geq(secretmem_usable_size(p), n);
        cr_assert_eq(secretmem_contains(p), 1);
        cr_assert_not(seen_from_outside(p));
        for (size_t i = 0; i < secretmem_usable_size(p); i++)
            cr_assert_eq(p[i], 0);
        memset(p, 0x40 + (int)n, secretmem_usable_size(p));
        count++;
    }
    cr_assert_eq(state_of(arena).blocks, count);
    for (size_t n = 0; n < 100; n++) {
        for (size_t i = 0; i < secretmem_usable_size(blocks[n]); i++)
            cr_assert_eq(blocks[n][i], 0x40 + n);
        secretmem_free(blocks[n]);
    }
    cr_assert_eq(state_of(arena).blocks, 0);
    cr_assert_eq(state_of(arena).used_bytes, 0);
    cr_assert_eq(blocks[50][3], 0, "cleared when it was freed");
    cr_assert_eq(secretmem_arena_destroy(arena), 0);
    cr_assert_eq(secretmem_contains(blocks[50]), 0);
}

/* The cap is the arena's, whatever the heap has; what is freed is room again, in one piece. */
Test(own_arena, cap)
{
    secretmem_arena *arena = secretmem_arena_create(64 * 1024, 0);
    size_t capacity = state_of(arena).capacity_bytes, count = 0;
    void *blocks[70];

    while (count < 70 && (blocks[count] = secretmem_arena_malloc(arena, 1000)) != NULL)
        count++;
    cr_assert_eq(count, capacity / 1008);
    cr_assert_eq(errno, ENOMEM);
    cr_assert_not_null(secretmem_malloc(100000), "the heap has room");
    errno = 0;
    cr_assert_null(secretmem_arena_malloc(arena, SIZE_MAX));
    cr_assert_eq(errno, ENOMEM);
    for (size_t i = 0; i < count; i += 2)
        secretmem_free(blocks[i]);
    cr_assert_null(secretmem_arena_malloc(arena, 2000), "no two neighbours are free");
    for (size_t i = 1; i < count; i += 2)
        secretmem_free(blocks[i]);
    cr_assert_not_null(secretmem_arena_malloc(arena, capacity - 8), "all of it");
    cr_assert_null(secretmem_arena_malloc(arena, 0));
}

Test(own_arena, realloc)
{
    secretmem_arena *arena = secretmem_arena_create(8192, 0);
    char *p = secretmem_arena_malloc(arena, 100), *q;

    strcpy(p, "a secret");
    q = secretmem_realloc(p, 3000);
    cr_assert_str_eq(q, "a secret");
    cr_assert_eq(state_of(arena).blocks, 1, "in the same arena");
    cr_assert_eq(p[0], 0, "the old place is cleared");
    q = secretmem_realloc(q, 5);
    cr_assert_eq(memcmp(q, "a sec", 5), 0);
    errno = 0;
    cr_assert_null(secretmem_realloc(q, 100000));
    cr_assert_eq(errno, ENOMEM);
    cr_assert_eq(memcmp(q, "a sec", 5), 0, "still there");
    cr_assert_null(secretmem_realloc(q, 0));
    cr_assert_eq(state_of(arena).blocks, 0);
}

Test(own_arena, mistakes)
{
    secretmem_arena *arena = secretmem_arena_create(1, 0), *other = (secretmem_arena *)&arena;
    struct secretmem_arena_stats stats;
    uint32_t small[2] = {7, 7};

    cr_assert_not_null(arena);
    errno = 0;
    cr_assert_null(secretmem_arena_create(0, 0));
    cr_assert_eq(errno, EINVAL);
    errno = 0;
    cr_assert_null(secretmem_arena_create(4096, 8));
    cr_assert_eq(errno, EINVAL);
    errno = 0;
    cr_assert_null(secretmem_arena_create(((size_t)1 << 40) + 1, 0));
    cr_assert_eq(errno, EINVAL);
    errno = 0;
    cr_assert_null(secretmem_arena_malloc(other, 1));
    cr_assert_eq(errno, EINVAL);
    cr_assert_eq(secretmem_arena_get_stats(other, &stats, sizeof(stats)), -1);
    cr_assert_eq(secretmem_arena_get_stats(arena, (void *)small, sizeof(uint32_t)), 0);
    cr_assert_eq(small[0], sizeof(stats));
    cr_assert_eq(small[1], 7, "no more is written than the caller knows");
    cr_assert_eq(secretmem_begin(arena), -1, "not sealed");
    cr_assert_eq(errno, EINVAL);
    cr_assert_eq(secretmem_arena_destroy(NULL), 0);
    cr_assert_eq(secretmem_arena_destroy(arena), 0);
    errno = 0;
    cr_assert_eq(secretmem_arena_destroy(arena), -1, "twice");
    cr_assert_eq(errno, EINVAL);
}

/* As many as there may be, and again as many when they are gone. */
Test(own_arena, many)
{
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    secretmem_arena *arenas[257];
    size_t count;

    /* Pages of 64 KiB take more than the usual limit. Where it cannot be raised, pages are
     * smaller. */
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    for (int round = 0; round < 3; round++) {
        for (count = 0; count < 257; count++) {
            arenas[count] =
                secretmem_arena_create(4096, count % 3 ? 0 : SECRETMEM_ARENA_FORK_DENY);
            if (!arenas[count])
                break;
        }
        cr_assert_eq(count, 256);
        cr_assert_eq(errno, ENOSPC);
        while (count > 0)
            cr_assert_eq(secretmem_arena_destroy(arenas[--count]), 0);
    }
}

Test(own_arena, double_free, .signal = SIGABRT)
{
    secretmem_arena *arena = secretmem_arena_create(4096, 0);
    void *p = secretmem_arena_malloc(arena, 10);

    secretmem_free(p);
    secretmem_free(p);
}

Test(own_arena, free_inside, .signal = SIGABRT)
{
    char *p = secretmem_arena_malloc(secretmem_arena_create(4096, 0), 100);

    secretmem_free(p + 16);
}

Test(own_arena, overrun, .signal = SIGABRT)
{
    char *p = secretmem_arena_malloc(secretmem_arena_create(4096, 0), 24);

    p[24] ^= 1;
    secretmem_free(p);
}

Test(own_arena, overrun_of_arena, .signal = SIGSEGV)
{
    secretmem_arena *arena = secretmem_arena_create(4096, 0);
    size_t capacity = state_of(arena).capacity_bytes;
    char *p = secretmem_arena_malloc(arena, capacity - 8);

    ((volatile char *)p)[capacity] = 1;
}
