/* SPDX-License-Identifier: Apache-2.0 */
/* The canary behind a block, and whether a free slot is clear: every size, every byte. */
#include "heap/canary.h"
#include "support.h"
#include <criterion/criterion.h>
#include <string.h>

/* A slot of 17 granules in the middle, and a margin on either side */
static struct {
    unsigned char before[32];
    unsigned char slot[272];
    unsigned char after[32];
} memory __attribute__((aligned(16)));

static void reset(unsigned char value)
{
    memset(memory.before, 0x77, sizeof(memory.before));
    memset(memory.slot, value, sizeof(memory.slot));
    memset(memory.after, 0x77, sizeof(memory.after));
}

static bool margins_are_whole(void)
{
    return all_bytes(memory.before, 0x77, sizeof(memory.before)) &&
           all_bytes(memory.after, 0x77, sizeof(memory.after));
}

/* Whatever the random number was, a string's terminator one too far is seen. */
Test(checks, no_byte_of_the_canary_is_zero)
{
    static const uint64_t randoms[] = {0, ~0ULL, 1, 0xff00ff00ff00ff00, 0x8000000000000000};

    for (size_t i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++) {
        sm_canary_init(randoms[i]);
        for (unsigned b = 0; b < 8; b++)
            cr_assert_neq(sm_canary >> b * 8 & 0xff, 0, "%lx", randoms[i]);
    }
    sm_canary_init(0x1122334455667788);
    cr_assert_eq(sm_canary, 0x1122334455667788 | 0x0101010101010101);
}

Test(checks, extent)
{
    for (size_t n = 1; n < 300; n++) {
        cr_assert_gt(SM_EXTENT(n), n);
        cr_assert_leq(SM_EXTENT(n), n + 8);
        cr_assert_eq(SM_EXTENT(n) % 8, 0);
    }
}

/* The canary ends where the block is said to extend, and touches nothing else. */
Test(checks, canary_set)
{
    for (size_t n = 1; n < 250; n++) {
        reset(0);
        sm_canary_set(memory.slot, n);
        cr_assert(all_bytes(memory.slot, 0, n), "%zu: the block is clear", n);
        for (size_t i = n; i < SM_EXTENT(n); i++)
            cr_assert_neq(memory.slot[i], 0, "%zu", n);
        cr_assert(all_bytes(memory.slot + SM_EXTENT(n), 0, sizeof(memory.slot) - SM_EXTENT(n)));
        cr_assert(sm_canary_good(memory.slot, n));
        memset(memory.slot, 0xff, n);
        cr_assert(sm_canary_good(memory.slot, n), "%zu: what the program writes", n);
    }
}

/* Each byte of it, changed to any other value, the zero among them */
Test(checks, canary_changed)
{
    for (size_t n = 1; n < 40; n++) {
        reset(0);
        sm_canary_set(memory.slot, n);
        memset(memory.slot, (int)n, n);
        for (size_t at = n; at < SM_EXTENT(n); at++) {
            unsigned char was = memory.slot[at];
            for (unsigned value = 0; value < 256; value++) {
                memory.slot[at] = (unsigned char)value;
                cr_assert_eq(sm_canary_good(memory.slot, n), value == was, "%zu: %zu, %u", n,
                             at, value);
            }
            memory.slot[at] = was;
        }
    }
}

/* From every size to every other: the block's bytes stay, the old canary goes. */
Test(checks, canary_drop_and_put)
{
    for (size_t old = 1; old < 60; old++) {
        for (size_t n = 1; n < 60; n++) {
            reset(0);
            sm_canary_set(memory.slot, old);
            memset(memory.slot, 0xa5, sm_min(old, n)); /* the rest was cleared by the caller */
            sm_canary_drop(memory.slot, old);
            sm_canary_put(memory.slot, n);
            cr_assert(sm_canary_good(memory.slot, n), "%zu to %zu", old, n);
            cr_assert(all_bytes(memory.slot, 0xa5, sm_min(old, n)), "%zu to %zu", old, n);
            if (n > old)
                cr_assert(all_bytes(memory.slot + old, 0, n - old), "%zu to %zu", old, n);
            cr_assert(all_bytes(memory.slot + SM_EXTENT(n), 0, 200 - SM_EXTENT(n)));
            cr_assert(margins_are_whole());
        }
    }
}

/* All of last + 1 granules, and not a byte more */
Test(checks, clear)
{
    for (size_t last = 0; last <= SM_LAST_INLINE; last++) {
        size_t bytes = (last + 1) * SM_GRANULE;
        reset(0xcc);
        sm_clear(memory.slot, last);
        cr_assert(all_bytes(memory.slot, 0, bytes), "%zu", last);
        cr_assert(all_bytes(memory.slot + bytes, 0xcc, sizeof(memory.slot) - bytes), "%zu",
                  last);
        cr_assert(margins_are_whole());
    }
}

Test(checks, is_clear)
{
    for (size_t last = 0; last <= SM_LAST_INLINE; last++) {
        size_t bytes = (last + 1) * SM_GRANULE;
        reset(0);
        cr_assert(sm_is_clear(memory.slot, last), "%zu: what lies around is not clear", last);
        for (size_t at = 0; at < sizeof(memory.slot); at++) {
            memory.slot[at] = (unsigned char)(1 << at % 8);
            cr_assert_eq(sm_is_clear(memory.slot, last), at >= bytes, "%zu: byte %zu", last,
                         at);
            memory.slot[at] = 0;
        }
    }
}
