/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks in every malloc and free: the bytes behind a block, and whether a free slot is
 * still zeroed. The switches exist for bench/, which measures the cost of each check.
 */
#ifndef SM_HEAP_CANARY_H
#define SM_HEAP_CANARY_H

#include "arena/size_class.h"

#ifndef SM_CHECK_REUSE
#define SM_CHECK_REUSE 1 /* a slot that is given out is zeroed: no write after free */
#endif

/*
 * The canary fills the rest of the aligned 8-byte word behind the last byte of a block: one to
 * eight bytes. None of these bytes is zero, because otherwise a string terminator written one
 * byte too far would go unnoticed. A block of n bytes thus extends to SM_EXTENT(n).
 */
extern SM_LOCAL uint64_t sm_canary;

/* Called once, at start. */
void sm_canary_init(uint64_t random);

#if SM_CHECK_SLACK
#define SM_EXTENT(n) (((size_t)(n) & ~(size_t)7) + 8)
#else
#define SM_EXTENT(n) ((size_t)(n))
#endif

typedef uint64_t __attribute__((may_alias)) sm_word;
typedef uint64_t __attribute__((may_alias, vector_size(16))) sm_granule;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the canary's bytes are laid out for little-endian machines"
#endif

static inline sm_word *sm_canary_word(void *p, size_t n)
{
    return (sm_word *)((char *)p + (n & ~(size_t)7));
}

/* For a new block: the block's own bytes of the word are zeroed. */
static inline void sm_canary_set(void *p, size_t n)
{
    if (SM_CHECK_SLACK)
        *sm_canary_word(p, n) = sm_canary << (n % 8 * 8);
}

static inline bool sm_canary_good(void *p, size_t n)
{
    if (!SM_CHECK_SLACK)
        return true;
    /* The block's own bytes in the word are shifted out. */
    return ((*sm_canary_word(p, n) ^ (sm_canary << (n % 8 * 8))) >> (n % 8 * 8)) == 0;
}

/*
 * Whether the bytes between the canary and the end of a slot or page run are zero. An overrun
 * may have jumped over the canary. For zeroed memory only (not with SECRETSSL_ZERO=0, nor under
 * Valgrind).
 */
bool sm_rest_good(const char *p, size_t n, size_t size);

/* As sm_rest_good(), for slots of whole granules: the rest is the last word, or is empty. */
static inline bool sm_rest_good_inline(const char *p, size_t n)
{
    uint64_t last = *(const sm_word *)(p + (n | 15) - 7);

    return !SM_CHECK_SLACK || (last & ((uint64_t)(n >> 3 & 1) - 1)) == 0;
}

/* Set and remove the canary of a live block, and keep the block's own bytes of the word. */
void sm_canary_put(void *p, size_t n);
void sm_canary_drop(void *p, size_t n);

/*
 * Called when a block of old bytes is resized to n in place, before the canary moves. Checks
 * that nothing was written to the bytes that the block grows by.
 */
void sm_check_growth(char *p, size_t old, size_t n);

/*
 * Free slots are zeroed. These functions check or clear last + 1 granules of 16 bytes. Up to 16
 * granules need no loop, because the processor would often mispredict the loop's end; granules
 * in the middle are processed twice.
 */
#define SM_LAST_INLINE 15

static inline void sm_clear(void *p, size_t last)
{
    volatile sm_granule *at = p; /* volatile, or the compiler would call memset */
    const sm_granule none = {0};

    if (last < 4) {
        at[0] = none;
        at[last > 1] = none;
        at[last - (last > 1)] = none;
        at[last] = none;
        return;
    }
    at[0] = none;
    at[1] = none;
    at[2] = none;
    at[3] = none;
    if (last >= 8) {
        at[4] = none;
        at[5] = none;
        at[6] = none;
        at[7] = none;
        at[last - 7] = none;
        at[last - 6] = none;
        at[last - 5] = none;
        at[last - 4] = none;
    }
    at[last - 3] = none;
    at[last - 2] = none;
    at[last - 1] = none;
    at[last] = none;
}

static inline bool sm_is_clear(const void *p, size_t last)
{
    const sm_granule *at = p;
    sm_granule seen;

    if (last < 4) {
        seen = at[0] | at[last > 1] | at[last - (last > 1)] | at[last];
    } else {
        seen = at[0] | at[1] | at[2] | at[3];
        if (last >= 8)
            seen |= at[4] | at[5] | at[6] | at[7] | at[last - 7] | at[last - 6] | at[last - 5] |
                    at[last - 4];
        seen |= at[last - 3] | at[last - 2] | at[last - 1] | at[last];
    }
    return (seen[0] | seen[1]) == 0;
}

#endif
