/* SPDX-License-Identifier: Apache-2.0 */
#include "os/zero.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef uint64_t __attribute__((may_alias, vector_size(16))) narrow;
typedef uint64_t __attribute__((may_alias, vector_size(32), aligned(16))) wide;
typedef uint64_t __attribute__((may_alias, vector_size(64), aligned(16))) widest;

#define IS_ZERO_16(v) (((v)[0] | (v)[1]) == 0)
#define IS_ZERO_32(v) _mm256_testz_si256((__m256i)(v), (__m256i)(v))
#define IS_ZERO_64(v) (_mm512_test_epi64_mask((__m512i)(v), (__m512i)(v)) == 0)

/*
 * The two functions for one width. They process four vectors at a time, and the rest in
 * granules. Neither calls another function, because a compiler would forget to leave the wide
 * state.
 */
/* NOLINTBEGIN(bugprone-macro-parentheses): a type and attributes cannot have any */
#define SWEEP(width, features, vector)                                                         \
    features static bool look_##width(const char *p, size_t size)                              \
    {                                                                                          \
        const char *end = p + size;                                                            \
        vector seen = {0};                                                                     \
        narrow rest = {0};                                                                     \
        for (; (size_t)(end - p) >= 4 * sizeof(vector); p += 4 * sizeof(vector)) {             \
            const vector *at = (const vector *)p;                                              \
            seen |= (at[0] | at[1]) | (at[2] | at[3]);                                         \
        }                                                                                      \
        for (; p < end; p += sizeof(rest))                                                     \
            rest |= *(const narrow *)p;                                                        \
        return IS_ZERO_##width(seen) && IS_ZERO_16(rest);                                      \
    }                                                                                          \
    features static void clear_##width(char *p, size_t size)                                   \
    {                                                                                          \
        const vector zero = {0};                                                               \
        char *end = p + size;                                                                  \
        for (; (size_t)(end - p) >= 4 * sizeof(vector); p += 4 * sizeof(vector)) {             \
            vector *at = (vector *)p;                                                          \
            vector seen = (at[0] | at[1]) | (at[2] | at[3]);                                   \
            if (!IS_ZERO_##width(seen))                                                        \
                at[0] = at[1] = at[2] = at[3] = zero;                                          \
        }                                                                                      \
        for (; p < end; p += sizeof(narrow))                                                   \
            *(volatile narrow *)p = (narrow){0};                                               \
    }

SWEEP(16, , narrow)
#if defined(__x86_64__)
SWEEP(32, __attribute__((target("avx2"))), wide)
SWEEP(64, __attribute__((target("avx512f"))), widest)
#endif
/* NOLINTEND(bugprone-macro-parentheses) */

#if defined(__x86_64__)
/* A number instead of function pointers, which would stay writable. */
static enum { WIDTH_16, WIDTH_32, WIDTH_64 } width;
#endif

void sm_zero_init(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        width = WIDTH_64;
    else if (__builtin_cpu_supports("avx2"))
        width = WIDTH_32;
#endif
}

bool sm_is_zero(const void *p, size_t size)
{
#if defined(__x86_64__)
    if (width == WIDTH_64)
        return look_64(p, size);
    if (width == WIDTH_32)
        return look_32(p, size);
#endif
    return look_16(p, size);
}

void sm_zero_dirty(void *p, size_t size)
{
#if defined(__x86_64__)
    if (width == WIDTH_64) {
        clear_64(p, size);
        return;
    }
    if (width == WIDTH_32) {
        clear_32(p, size);
        return;
    }
#endif
    clear_16(p, size);
}
