/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_BASE_COMMON_H
#define SM_BASE_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_EXPORT __attribute__((visibility("default")))
/* For this library's own variables: accessed directly, not through the GOT. */
#define SM_LOCAL __attribute__((visibility("hidden")))
/*
 * For functions called from assembly, which a compiler that sees the whole library (-flto) does
 * not read.
 */
#if defined(__clang__)
#define SM_FROM_ASM __attribute__((used))
#else
#define SM_FROM_ASM __attribute__((used, externally_visible))
#endif
#define sm_likely(x)   __builtin_expect(!!(x), 1)
#define sm_unlikely(x) __builtin_expect(!!(x), 0)
#define sm_barrier()   __asm__ volatile("" ::: "memory")

/* A barrier between any two accesses. gcc refuses one with -fsanitize=thread. */
static inline void sm_full_barrier(void)
{
#if defined(__SANITIZE_THREAD__)
    static uint32_t word;

    __atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/*
 * Data that becomes read-only after start has pages of its own, of the largest page size there
 * is.
 */
#if defined(__aarch64__)
#define SM_SEAL_PAGE 65536
#else
#define SM_SEAL_PAGE 4096
#endif

/* A flag for an atomic exchange: a word, because not every processor can exchange a byte. */
typedef uint32_t sm_flag;

#define SM_KIB ((size_t)1024)
#define SM_MIB (SM_KIB * 1024)
#define SM_GIB (SM_MIB * 1024)
#define SM_TIB (SM_GIB * 1024)

static inline size_t sm_round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

static inline size_t sm_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t sm_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#if defined(__SANITIZE_THREAD__)
#define SM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SM_TSAN 1
#endif
#endif
#ifndef SM_TSAN
#define SM_TSAN 0
#endif

#endif
