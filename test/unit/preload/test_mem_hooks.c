/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's allocation contract: the answers of its own defaults. */
#include "base/counters.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "hooks/mem_hooks.h"
#include "hooks/secure_blocks.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HERE "../crypto/rsa/rsa_lib.c", 1

static void init(void)
{
    start_heap();
}

TestSuite(hooks, .init = init);

Test(hooks, blocks)
{
    unsigned char *p = hook_malloc(100, HERE);

    cr_assert(sm_is_secret(p));
    memset(p, 1, 100);
    p = hook_realloc(p, 5000, HERE);
    cr_assert(sm_is_secret(p));
    cr_assert(all_bytes(p, 1, 100));
    p = hook_realloc(p, 50, HERE);
    cr_assert(all_bytes(p, 1, 50));
    hook_free(p, HERE);
}

Test(hooks, nothing)
{
    uint64_t allocations, frees;
    int64_t live;
    void *p;

    cr_assert_null(hook_malloc(0, HERE));
    cr_assert_null(hook_realloc(NULL, 0, HERE));
    hook_free(NULL, HERE);
    cr_assert_eq(sm_arena.span, 0, "no memory was needed");
    p = hook_realloc(NULL, 100, HERE);
    cr_assert(sm_is_secret(p));
    cr_assert_null(hook_realloc(p, 0, HERE));
    sm_thread_caches_sum(&allocations, &frees, &live);
    cr_assert_eq(allocations, 1);
    cr_assert_eq(frees, 1);
}

/* A secure block is like any other once it has moved, and stays what it is if it cannot. */
Test(hooks, realloc_of_secure)
{
    void *p;

    cr_assert(secure_bits_make());
    p = hook_malloc(100, HERE);
    secure_bits_set(p);
    cr_assert_eq(secure_bits_used(), 128);
    cr_assert_null(hook_realloc(p, SIZE_MAX / 4, HERE));
    cr_assert(secure_bits_has(p));
    cr_assert_eq(secure_bits_used(), 128);
    p = hook_realloc(p, 5000, HERE);
    cr_assert(p && !secure_bits_has(p));
    cr_assert_eq(secure_bits_used(), 0);
    hook_free(p, HERE);
}

/* Whether the kernel leaves a page out of core dumps */
static bool left_out(const void *p)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    unsigned long from, to;
    char line[512];
    bool here = false, out = false;

    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = (uintptr_t)p >= from && (uintptr_t)p < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            out = strstr(line, " dd") != NULL;
    }
    fclose(file);
    return out;
}

/* A child of fork must not run on its parent's. */
Test(hooks, job_stack)
{
    static const char file[] = "../crypto/async/arch/async_posix.c";
    char *stack = hook_malloc(32768, file, 1), *other;

    cr_assert(stack && !sm_arena_owns(stack));
    cr_assert(left_out(stack) && left_out(stack + 32767));
    cr_assert_eq(sm_stats.spilled, 0, "it is where it belongs");
    memset(stack, 1, 32768);
    other = hook_malloc(1, file, 1);
    cr_assert(other && !sm_arena_owns(other));
    cr_assert_null(hook_malloc(0, file, 1));
    cr_assert_null(hook_malloc(SIZE_MAX - 100, file, 1));
    hook_free(stack, file, 1);
    cr_assert_not(left_out(stack), "the C library's again");
    hook_free(other, file, 1);
}

Test(hooks, no_file)
{
    void *p = hook_malloc(100, NULL, 0), *q = hook_malloc(100, "", 0);

    cr_assert(sm_is_secret(p) && sm_is_secret(q));
    p = hook_realloc(p, 20000, NULL, 0);
    cr_assert(sm_is_secret(p));
    hook_free(p, NULL, 0);
    hook_free(q, "", 0);
}

Test(hooks, partitions)
{
    cr_assert_eq(sm_part_of(hook_malloc(64, "../crypto/bn/bn_lib.c", 1)), SM_PART_BYTES);
    cr_assert_eq(sm_part_of(hook_malloc(64, HERE)), SM_PART_KEY);
    cr_assert_eq(sm_part_of(hook_malloc(64, "../ssl/record/ssl3_buffer.c", 1)), SM_PART_IO);
    cr_assert_eq(sm_part_of(hook_malloc(64, "../crypto/err/err.c", 1)), SM_PART_PUBLIC);
    cr_assert_eq(sm_part_of(hook_realloc(NULL, 64, "../crypto/err/err.c", 1)), SM_PART_PUBLIC);
}

/* A block stays where it is, whoever makes it larger. */
Test(hooks, realloc_keeps_partition)
{
    void *p = hook_malloc(64, "../crypto/bn/bn_lib.c", 1);

    p = hook_realloc(p, 30000, "../crypto/err/err.c", 1);
    cr_assert_eq(sm_part_of(p), SM_PART_BYTES);
    hook_free(p, "../crypto/err/err.c", 1);
}

/* Memory that was allocated before the hooks were there. */
Test(hooks, foreign)
{
    unsigned char *p = malloc(100);

    memset(p, 1, 100);
    p = hook_realloc(p, 1000, HERE);
    cr_assert(all_bytes(p, 1, 100));
    cr_assert(!sm_arena_owns(p));
    hook_free(p, HERE);
    hook_free(malloc(10), HERE);
}
