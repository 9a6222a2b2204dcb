/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What arenas of libsecretmem cost: nanoseconds of each operation, the median of many rounds.
 *
 *   arena-cost ROUNDS
 *   -> "OPERATION NS" for each; begin and end by a key only where the processor has keys
 */
#include "common.h"
#include "secretmem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REPEATS = 200, LIVE = 100, SIZE = 32 };

static secretmem_arena *plain, *by_key, *by_mprotect;

static void heap_block(void)
{
    secretmem_free(secretmem_malloc(SIZE));
}

static void arena_block(void)
{
    secretmem_free(secretmem_arena_malloc(plain, SIZE));
}

static void key_access(void)
{
    if (secretmem_begin(by_key) != 0 || secretmem_end(by_key) != 0)
        bench_die_errno("secretmem_begin");
}

static void mprotect_access(void)
{
    if (secretmem_begin(by_mprotect) != 0 || secretmem_end(by_mprotect) != 0)
        bench_die_errno("secretmem_begin");
}

static void small_arena(void)
{
    if (secretmem_arena_destroy(secretmem_arena_create(4096, 0)) != 0)
        bench_die_errno("secretmem_arena_create");
}

static void mapped_descriptor(void)
{
    int fd = secretmem_fd_create(4096);

    if (secretmem_fd_unmap(secretmem_fd_map(fd, NULL)) != 0)
        bench_die_errno("secretmem_fd_map");
    close(fd);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void measure(const char *name, void (*operation)(void), uint64_t rounds)
{
    uint64_t *times = calloc(rounds, sizeof(*times));

    if (!times)
        bench_die_errno("calloc");
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t start = bench_now();
        for (int j = 0; j < REPEATS; j++)
            operation();
        times[i] = (bench_now() - start) / REPEATS;
    }
    qsort(times, rounds, sizeof(*times), by_value);
    printf("%s %" PRIu64 "\n", name, times[rounds / 2]);
    free(times);
}

static secretmem_arena *sealed(unsigned wanted)
{
    struct secretmem_arena_stats state = {0};
    secretmem_arena *arena = secretmem_arena_create(4096, SECRETMEM_ARENA_SEALED);

    if (!arena || secretmem_arena_get_stats(arena, &state, sizeof(state)) != 0)
        bench_die_errno("secretmem_arena_create");
    return state.seal == wanted ? arena : NULL;
}

int main(int argc, char **argv)
{
    uint64_t rounds;

    bench_program = "arena-cost";
    if (argc != 2)
        bench_die("usage: arena-cost ROUNDS");
    rounds = bench_number("ROUNDS", argv[1], 1, 1000000);
    by_key = sealed(SECRETMEM_SEALED_BY_KEY);
    while (syscall(SYS_pkey_alloc, 0, 0) > 0)
        ; /* so that the next arena gets none */
    by_mprotect = sealed(SECRETMEM_SEALED_BY_MPROTECT);
    plain = secretmem_arena_create(65536, 0);
    if (!plain || !by_mprotect)
        bench_die_errno("secretmem_arena_create");
    for (int i = 0; i < LIVE; i++)
        memset(secretmem_arena_malloc(plain, SIZE), i, SIZE);
    measure("heap-malloc-free", heap_block, rounds);
    measure("arena-malloc-free", arena_block, rounds);
    if (by_key)
        measure("begin-end-key", key_access, rounds);
    measure("begin-end-mprotect", mprotect_access, rounds);
    measure("arena-create-destroy", small_arena, rounds);
    measure("descriptor-map-unmap", mapped_descriptor, rounds);
    return 0;
}
