/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas of the program's own where secret memory is refused, or not enough. */
#include "api.h"
#include <criterion/criterion.h>

/* At the limit: an error, no SIGBUS, and nothing that stays taken. */
Test(own_arena_refused, limit)
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
        if (!(flags & SECRETMEM_ARENA_SEALED))
            cr_assert_eq(child_of(child_without_arena, &(struct withheld){arena, p}), 0);
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

Test(own_arena_refused, limit_not_required)
{
    become_limited();
    check_without_secret_memory(0);
}

Test(own_arena_refused, by_filter)
{
    refuse_call(SYS_memfd_secret);
    errno = 0;
    cr_assert_null(secretmem_arena_create(4096, SECRETMEM_ARENA_REQUIRE));
    cr_assert_eq(errno, EPERM);
    check_without_secret_memory(0);
}

Test(own_arena_refused, by_filter_sealed)
{
    refuse_call(SYS_memfd_secret);
    check_without_secret_memory(SECRETMEM_ARENA_SEALED);
}

Test(own_arena_refused, by_filter_denied)
{
    refuse_call(SYS_memfd_secret);
    check_without_secret_memory(SECRETMEM_ARENA_FORK_DENY);
}

Test(own_arena_refused, required_by_setting)
{
    cr_assert_eq(secretmem_configure("REQUIRE", "1"), SECRETMEM_OK);
    refuse_call(SYS_memfd_secret);
    cr_assert_null(secretmem_arena_create(4096, 0));
    cr_assert_eq(errno, EPERM);
}
