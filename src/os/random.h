/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers that need not be less predictable than places of blocks. */
#ifndef SM_OS_RANDOM_H
#define SM_OS_RANDOM_H

#include "os/pages.h"

/*
 * Returns a number below a bound (xorshift64*). The state is 0 until it is seeded, here. Not
 * thread-safe: the caller's lock guards the state.
 */
static inline uint32_t sm_random_below(uint64_t *state, uint32_t below)
{
    uint64_t x = *state;

    if (!x)
        x = sm_pages_random() | 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return (uint32_t)((x * 0x2545f4914f6cdd1dULL >> 32) * below >> 32);
}

#endif
