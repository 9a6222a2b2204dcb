/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that are with the C library. */
#include "base/counters.h"
#include "base/settings.h"
#include "heap/fallback.h"
#include "heap/malloc.h"
#include "support.h"
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void init(void)
{
    start_heap_of(64 * SM_KIB);
}

TestSuite(spill, .init = init);

Test(spill, counted)
{
    unsigned char *p = sm_fallback_alloc(100, 1);

    cr_assert_not_null(p);
    cr_assert(!sm_arena_owns(p));
    cr_assert_geq(sm_fallback_size(p), 100);
    cr_assert_eq(sm_stats.spilled, 1);
    cr_assert_eq(sm_stats.spilled_bytes, 100);
    sm_fallback_free(p);
    p = sm_fallback_alloc(5000, 4096);
    cr_assert_eq((uintptr_t)p % 4096, 0);
    cr_assert_eq(sm_stats.spilled, 2);
    cr_assert_eq(sm_stats.spilled_bytes, 5100);
    sm_fallback_free(p);
    cr_assert_eq(sm_stats.failed, 0);
}

/* What the C library had before is not what a block begins with, nor what it gains. */
/* AddressSanitizer keeps freed memory back: what a block had before is not seen there. */
#if defined(__SANITIZE_ADDRESS__)
#define QUARANTINED true
#else
#define QUARANTINED false
#endif

Test(spill, zero, .disabled = QUARANTINED)
{
    for (int zero = 1; zero >= 0; zero--) {
        unsigned char *p = malloc(3000), *volatile used = p;
        size_t left = 0;
        sm_settings.zero = zero;
        memset(p, 'Z', 3000);
        sm_barrier(); /* or the compiler drops it */
        free(p);
        p = sm_fallback_alloc(3000, 1);
        cr_assert_eq(p, used, "the same memory");
        for (size_t i = 0; i < 3000; i++)
            left += p[i] != 0;
        cr_assert_eq(left == 0, zero, "%zu bytes of what was there", left);
        sm_fallback_free(p);
    }
}

Test(spill, zero_when_it_grows, .disabled = QUARANTINED)
{
    unsigned char *was = malloc(3000), *p = sm_fallback_alloc(100, 1);

    memset(was, 'Z', 3000);
    sm_barrier();
    free(was);
    p = sm_fallback_realloc(p, 3000);
    cr_assert_eq(p, was, "the same memory");
    cr_assert(all_bytes(p, 0, 3000));
    sm_fallback_free(p);
    p = sm_fallback_alloc(3000, 512);
    cr_assert_eq((uintptr_t)p % 512, 0);
    cr_assert(all_bytes(p, 0, 3000));
}

#if !defined(__SANITIZE_ADDRESS__)
Test(spill, impossible)
{
    cr_assert_null(sm_fallback_alloc(SIZE_MAX / 2, 1));
    cr_assert_null(sm_fallback_alloc(SIZE_MAX / 2, 4096));
    cr_assert_eq(sm_stats.failed, 2);
    cr_assert_eq(sm_stats.spilled, 0);
}

static unsigned char at_free[64];

/* What the C library gets back: looked at in its stead. */
static unsigned secret_bytes(const unsigned char *p)
{
    unsigned n = 0;

    for (size_t i = 16; i < 64; i++)
        n += p[i] == 0xcd;
    return n;
}

/* glibc keeps a freed block of this size as it is but for its first 16 bytes. */
Test(spill, cleared)
{
    unsigned char *p = sm_fallback_alloc(64, 1), *volatile was = p;

    memset(p, 0xcd, 64);
    sm_fallback_free(p);
    memcpy(at_free, was, sizeof(at_free));
    cr_assert_eq(secret_bytes(at_free), 0);
    /* The control: without clearing it is all there. */
    sm_settings.zero = 0;
    p = sm_fallback_alloc(64, 1);
    was = p;
    memset(p, 0xcd, 64);
    sm_fallback_free(p);
    memcpy(at_free, was, sizeof(at_free));
    cr_assert_eq(secret_bytes(at_free), 48);
}

Test(spill, cleared_when_it_moves)
{
    unsigned char *p = sm_fallback_alloc(64, 1), *volatile was = p;
    unsigned char *to;

    memset(p, 0xcd, 64);
    to = sm_fallback_realloc(p, 10000);
    memcpy(at_free, was, sizeof(at_free));
    cr_assert_neq(to, was);
    cr_assert(all_bytes(to, 0xcd, 64));
    cr_assert_eq(secret_bytes(at_free), 0);
    free(to);
}
#endif

Test(spill, realloc)
{
    for (int zero = 0; zero <= 1; zero++) {
        unsigned char *p = sm_fallback_alloc(1000, 1);
        sm_settings.zero = zero;
        memset(p, 7, 1000);
        p = sm_fallback_realloc(p, 100000);
        cr_assert(all_bytes(p, 7, 1000));
        p = sm_fallback_realloc(p, 10);
        cr_assert(all_bytes(p, 7, 10));
        sm_fallback_free(p);
    }
}

/* A full arena, from above: the block is as good as any other. */
Test(spill, full_arena)
{
    unsigned char *blocks[40];
    unsigned spilled = 0;

    for (int i = 0; i < 40; i++) {
        blocks[i] = sm_malloc(4000, SM_PART_KEY);
        cr_assert_not_null(blocks[i]);
        memset(blocks[i], i, 4000);
        spilled += !sm_arena_owns(blocks[i]);
    }
    cr_assert_eq(spilled, 40 - 16);
    cr_assert_eq(sm_stats.spilled, spilled);
    for (int i = 0; i < 40; i++) {
        cr_assert_geq(sm_usable_size(blocks[i]), 4000);
        blocks[i] = sm_realloc(blocks[i], 3000);
        cr_assert(all_bytes(blocks[i], (unsigned char)i, 3000));
        sm_free(blocks[i]);
    }
    cr_assert(sm_arena_owns(sm_malloc(4000, SM_PART_KEY)), "room again");
}

/* Pointers that were never ours, as OpenSSL may hand them over. */
Test(spill, foreign)
{
    unsigned char *p = malloc(100);

    memset(p, 9, 100);
    p = sm_realloc(p, 300);
    cr_assert(!sm_arena_owns(p), "its owner may call free()");
    cr_assert(all_bytes(p, 9, 100));
    cr_assert_geq(sm_usable_size(p), 300);
    sm_free(p);
}

/* A block that cannot be had, or cannot grow, leaves to others what there is. */
static void too_large(void *arg)
{
    void *block;

    (void)arg;
    become_nobody(8 * SM_MIB);
    sm_settings.require = 1;
    start_heap_of(128 * SM_MIB);
    block = sm_malloc(SM_MIB, SM_PART_IO);
    CHECK(block);
    for (int i = 0; i < 3; i++) {
        CHECK(!sm_malloc(16 * SM_MIB, SM_PART_IO));
        CHECK(!sm_realloc(block, 16 * SM_MIB));
    }
    CHECK(sm_arena.mapped < 2 * SM_MIB);
    CHECK(sm_malloc(4 * SM_MIB, SM_PART_KEY) && sm_malloc(100, SM_PART_BYTES));
}

Test(spill, too_large)
{
    cr_assert_eq(in_child(too_large, NULL), 0);
}
