/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas of the program's own. */
#include "api.h"
#include <criterion/criterion.h>
#include <pthread.h>
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

static void child_with_copy(void *arg)
{
    char *p = arg;

    EXPECT(strcmp(p, "inherited") == 0);
    EXPECT(secretmem_contains(p) == 1);
    EXPECT(!seen_from_outside(p));
    strcpy(p, "the child's");
    secretmem_free(p);
}

Test(own_arena, fork_copies)
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

Test(own_arena, fork_twice)
{
    char *p = secretmem_arena_malloc(secretmem_arena_create(4096, 0), 100);

    strcpy(p, "inherited");
    cr_assert_eq(child_of(child_of_child, p), 0);
}

static secretmem_arena *withheld;

static void child_without(void *arg)
{
    EXPECT(!readable(arg));
    EXPECT(secretmem_contains(arg) == 0);
    errno = 0;
    EXPECT(secretmem_arena_malloc(withheld, 1) == NULL && errno == EACCES);
    EXPECT(state_of(withheld).secret == 0);
    EXPECT(secretmem_usable_size(arg) == 0);
    secretmem_free(arg); /* forgets it */
    EXPECT(secretmem_arena_destroy(withheld) == 0);
}

static void child_that_reads(void *arg)
{
    _exit(*(volatile char *)arg);
}

Test(own_arena, fork_denied)
{
    char *p;

    withheld =
        secretmem_arena_create(4096, SECRETMEM_ARENA_FORK_DENY | SECRETMEM_ARENA_REQUIRE);
    p = secretmem_arena_malloc(withheld, 100);
    *p = 7;
    cr_assert(readable(p));
    cr_assert_eq(child_of(child_without, p), 0);
    cr_assert_eq(child_of(child_that_reads, p), 1000 + SIGSEGV);
    cr_assert_eq(*p, 7);
}

Test(own_arena, setting_denies)
{
    char *p;

    cr_assert_eq(secretmem_configure("FORK", "deny"), SECRETMEM_OK);
    withheld = secretmem_arena_create(4096, 0);
    p = secretmem_arena_malloc(withheld, 100);
    cr_assert_eq(child_of(child_without, p), 0);
    cr_assert(readable(p));
}

/* At the limit: an error, no SIGBUS, and nothing that stays taken. */
Test(own_arena, limit)
{
    secretmem_arena *arena;

    become_limited();
    for (int i = 0; i < 50; i++) {
        errno = 0;
        cr_assert_null(secretmem_arena_create(131072, SECRETMEM_ARENA_REQUIRE));
        cr_assert_eq(errno, ENOMEM);
        errno = 0;
        cr_assert_null(secretmem_arena_create(131072, SECRETMEM_ARENA_REQUIRE |
                                                          SECRETMEM_ARENA_FORK_DENY));
        cr_assert_eq(errno, ENOMEM);
    }
    arena = secretmem_arena_create(16384, SECRETMEM_ARENA_REQUIRE);
    cr_assert_not_null(arena);
    memset(secretmem_arena_malloc(arena, 16000), 1, 16000);
}

static void child_of_ordinary(void *arg)
{
    struct secretmem_stats stats;

    secretmem_get_stats(&stats, sizeof(stats));
    EXPECT(stats.locked_bytes + stats.plain_bytes == 131072);
    EXPECT(geteuid() != 0 || stats.locked_bytes == 131072);
    EXPECT(strcmp(arg, "inherited") == 0);
    strcpy(arg, "the child's");
    secretmem_free(arg);
}

/* Without secret memory: ordinary memory, which is said, or nothing. */
static void check_without_secret_memory(unsigned flags)
{
    secretmem_arena *arena = secretmem_arena_create(131072, flags);
    struct secretmem_stats stats;
    char *p;

    cr_assert_not_null(arena);
    cr_assert_eq(state_of(arena).secret, 0);
    p = secretmem_arena_malloc(arena, 100000);
    if (flags & SECRETMEM_ARENA_SEALED) {
        cr_assert_not(readable(p));
        cr_assert_eq(secretmem_begin(arena), 0);
    }
    cr_assert_eq(secretmem_contains(p), 0);
    if (geteuid() == 0)
        cr_assert(seen_from_outside(p), "which is why it is said");
    strcpy(p, "inherited");
    secretmem_get_stats(&stats, sizeof(stats));
    cr_assert_eq(stats.locked_bytes + stats.plain_bytes, 131072);
    cr_assert_eq(stats.degraded_pages, 32);
    if (flags & SECRETMEM_ARENA_FORK_DENY) {
        withheld = arena;
        if (!(flags & SECRETMEM_ARENA_SEALED))
            cr_assert_eq(child_of(child_without, p), 0);
    } else {
        cr_assert_eq(child_of(child_of_ordinary, p), 0);
    }
    cr_assert_str_eq(p, "inherited");
    if (flags & SECRETMEM_ARENA_SEALED)
        cr_assert_eq(secretmem_end(arena), 0);
    cr_assert_eq(secretmem_arena_destroy(arena), 0);
    secretmem_get_stats(&stats, sizeof(stats));
    cr_assert_eq(stats.locked_bytes + stats.plain_bytes, 0);
}

Test(own_arena, limit_not_required)
{
    become_limited();
    check_without_secret_memory(0);
}

Test(own_arena, refused)
{
    refuse_call(SYS_memfd_secret);
    errno = 0;
    cr_assert_null(secretmem_arena_create(4096, SECRETMEM_ARENA_REQUIRE));
    cr_assert_eq(errno, EPERM);
    check_without_secret_memory(0);
}

Test(own_arena, refused_sealed)
{
    refuse_call(SYS_memfd_secret);
    check_without_secret_memory(SECRETMEM_ARENA_SEALED);
}

Test(own_arena, refused_denied)
{
    refuse_call(SYS_memfd_secret);
    check_without_secret_memory(SECRETMEM_ARENA_FORK_DENY);
}

Test(own_arena, required_by_setting)
{
    cr_assert_eq(secretmem_configure("REQUIRE", "1"), SECRETMEM_OK);
    refuse_call(SYS_memfd_secret);
    cr_assert_null(secretmem_arena_create(4096, 0));
    cr_assert_eq(errno, EPERM);
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
Test(own_arena, threads)
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

Test(own_arena, handlers)
{
    of_handlers = secretmem_arena_create(4096, 0);
    in_handlers[0] = secretmem_arena_malloc(of_handlers, 100);
    strcpy(in_handlers[0], "the child's");
    cr_assert_eq(child_of(child_of_handlers, in_handlers[0]), 0);
    cr_assert_eq(state_of(of_handlers).blocks, 1, "the parent's is free, prepare's is not");
}
