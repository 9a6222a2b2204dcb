/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"
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
 * The two functions for one width. Four vectors at a time; the rest, less than that, in
 * granules. Neither calls anything: a compiler would forget to leave the wide state.
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

static bool (*look)(const char *p, size_t size) = look_16;
static void (*clear)(char *p, size_t size) = clear_16;

void sm_sweep_init(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) {
        look = look_64;
        clear = clear_64;
    } else if (__builtin_cpu_supports("avx2")) {
        look = look_32;
        clear = clear_32;
    }
#endif
}

bool sm_sweep_look(const void *p, size_t size)
{
    return look(p, size);
}

void sm_sweep_clear(void *p, size_t size)
{
    clear(p, size);
}
