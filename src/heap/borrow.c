/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/borrow.h"
#include "arena/backing.h"
#include "arena/sealed.h"
#include "base/settings.h"

/* The conditions for borrowing. All given conditions must hold; no condition means never. */
enum {
    FULL = 1,      /* as soon as the partition cannot grow */
    FIXED = 2,     /* when a filter forbids to map more: any memory is better than none */
    SECRET = 4,    /* only where the lender is secret memory too (SECRETSSL_ROUTE) */
    COPIED = 8,    /* not with SECRETSSL_FORK=deny, which treats the two differently */
    UNCACHED = 16, /* not where uncached memory is required, because the lender is cached */
    CACHED = 32,   /* not where the lender may be uncached, because locks do not work there */
};

/*
 * From row (borrower) to column (lender). Keys may go to the other partition with keys and to
 * PUBLIC, rather than out of secret memory. Keys go to IO only when the arena is fixed. Blocks
 * without keys go to another partition only when the arena is fixed, so that they do not use up
 * room for keys.
 */
static const uint8_t lending[SM_PARTS][SM_PARTS] = {
    [SM_PART_BYTES] =
        {
            [SM_PART_KEY] = FULL | SECRET | COPIED | UNCACHED,
            [SM_PART_IO] = FIXED | SECRET | COPIED | UNCACHED,
            [SM_PART_PUBLIC] = FULL | SECRET | COPIED | UNCACHED,
        },
    [SM_PART_KEY] =
        {
            [SM_PART_BYTES] = FULL | SECRET | COPIED | CACHED,
            [SM_PART_IO] = FIXED | SECRET,
            [SM_PART_PUBLIC] = FULL | SECRET,
        },
    [SM_PART_IO] =
        {
            [SM_PART_BYTES] = FIXED | COPIED | CACHED,
            [SM_PART_KEY] = FIXED,
            [SM_PART_PUBLIC] = FIXED,
        },
    [SM_PART_PUBLIC] =
        {
            [SM_PART_BYTES] = FIXED | COPIED | CACHED,
            [SM_PART_KEY] = FIXED,
            [SM_PART_IO] = FIXED,
        },
};

bool sm_may_borrow(unsigned from, unsigned to)
{
    unsigned rule = lending[from][to];

    /* Only libcrypto's work on private keys can access blocks of the sealed partition. */
    if (sm_is_sealed(to) || (sm_is_sealed(from) && sm_settings.seal == SM_SEALING_REQUIRE))
        return false;
    if (!(rule & FULL) && !(rule & FIXED && sm_arena.fixed))
        return false;
    if (rule & SECRET && !sm_backing_secret(to))
        return false;
    if (rule & COPIED && sm_settings.fork == SM_FORK_DENY)
        return false;
    if (rule & UNCACHED && sm_settings.uncached == SM_UNCACHED_REQUIRE)
        return false;
    return !(rule & CACHED && sm_settings.uncached != SM_UNCACHED_OFF);
}
