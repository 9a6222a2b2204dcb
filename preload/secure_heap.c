/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRYPTO_secure_malloc() and the rest of its family: OpenSSL's own secure heap is locked,
 * but ordinary memory. Ours has no size of its own: what is asked for comes from the arena.
 * A bit for each granule of the arena says whether a secure block begins there, so that
 * all questions are answered as they are meant.
 */
#include "arena.h"
#include "common.h"
#include "crypto.h"
#include "heap.h"
#include "hooks.h"
#include "libcrypto.h"
#include "pages.h"
#include "start.h"
#include <string.h>

#define CALLER        __builtin_return_address(0)
#define INSTEAD(name) libcrypto_instead(CALLER, name)

static uint64_t *bits; /* in memory of its own; NULL: there was no secure heap yet */
static bool on;
static int64_t used; /* bytes */

static uint64_t *word_of(const void *p)
{
    return &bits[sm_offset(p) / SM_GRANULE / 64];
}

static uint64_t bit_of(const void *p)
{
    return 1ULL << (sm_offset(p) / SM_GRANULE % 64);
}

static bool is_secure(const void *p)
{
    return __atomic_load_n(&bits, __ATOMIC_ACQUIRE) && sm_arena_owns(p) &&
           __atomic_load_n(word_of(p), __ATOMIC_RELAXED) & bit_of(p);
}

static bool is_on(void)
{
    return __atomic_load_n(&on, __ATOMIC_ACQUIRE);
}

static bool power_of_two(size_t n)
{
    return n && (n & (n - 1)) == 0;
}

/* Not before there is an arena: its extent is what the table is made for. */
static bool have_bits(void)
{
    void *probe = sm_malloc(1, SM_PART_KEY);
    bool good = probe && sm_arena_owns(probe);

    if (good && !bits) {
        uint64_t *table = sm_pages_private(sm_arena.span / SM_GRANULE / 8, false);
        __atomic_store_n(&bits, table, __ATOMIC_RELEASE);
        good = table != NULL;
    }
    if (probe)
        sm_free(probe);
    return good;
}

/* 1: the pages are secret; 2, as for OpenSSL's own when it cannot be locked: they are not. */
static int switch_on(void)
{
    void *probe;
    int answer = 0;

    start_lock();
    if (!on && have_bits()) {
        probe = sm_malloc(1, SM_PART_BYTES);
        answer = probe && sm_is_secret(probe) ? 1 : 2;
        if (probe)
            sm_free(probe);
        __atomic_store_n(&on, true, __ATOMIC_RELEASE);
    }
    start_unlock();
    return answer;
}

/* least was an int in 1.1.1. */
SM_EXPORT int CRYPTO_secure_malloc_init(size_t size, size_t least)
{
    int (*instead)(size_t, size_t) =
        (int (*)(size_t, size_t))INSTEAD("CRYPTO_secure_malloc_init");
    uint32_t block = (uint32_t)least;

    if (instead)
        return instead(size, least);
    if (!start_ready() || !power_of_two(size) ||
        (block > 2 * sizeof(void *) && !power_of_two(block)))
        return 0;
    return switch_on();
}

SM_EXPORT int CRYPTO_secure_malloc_done(void)
{
    int (*instead)(void) = (int (*)(void))INSTEAD("CRYPTO_secure_malloc_done");
    bool unused = __atomic_load_n(&used, __ATOMIC_ACQUIRE) == 0;

    if (instead)
        return instead();
    if (unused)
        __atomic_store_n(&on, false, __ATOMIC_RELEASE);
    return unused;
}

SM_EXPORT int CRYPTO_secure_malloc_initialized(void)
{
    int (*instead)(void) = (int (*)(void))INSTEAD("CRYPTO_secure_malloc_initialized");

    return instead ? instead() : is_on();
}

static void *take(size_t size, const char *file, int line)
{
    void *p;

    if (!start_ready())
        return CRYPTO_malloc(size, file, line); /* which counts what comes before us */
    if (!is_on())
        return hook_malloc(size, file, line);
    /* Where it is on, nothing is something: a block of the least size. */
    p = hook_malloc(size + (size == 0), file, line);
    if (p && sm_arena_owns(p)) {
        __atomic_fetch_or(word_of(p), bit_of(p), __ATOMIC_RELAXED);
        __atomic_fetch_add(&used, (int64_t)sm_usable_size(p), __ATOMIC_RELAXED);
    }
    return p;
}

static void give(void *p, const char *file, int line)
{
    if (is_secure(p)) {
        __atomic_fetch_and(word_of(p), ~bit_of(p), __ATOMIC_RELAXED);
        __atomic_fetch_sub(&used, (int64_t)sm_usable_size(p), __ATOMIC_RELAXED);
    }
    hook_free(p, file, line);
}

SM_EXPORT void *CRYPTO_secure_malloc(size_t size, const char *file, int line)
{
    crypto_malloc *instead = (crypto_malloc *)INSTEAD("CRYPTO_secure_malloc");

    return instead ? instead(size, file, line) : take(size, file, line);
}

SM_EXPORT void *CRYPTO_secure_zalloc(size_t size, const char *file, int line)
{
    crypto_malloc *instead = (crypto_malloc *)INSTEAD("CRYPTO_secure_zalloc");
    void *p;

    if (instead)
        return instead(size, file, line);
    p = take(size, file, line);
    return p ? memset(p, 0, size) : NULL;
}

SM_EXPORT void CRYPTO_secure_free(void *p, const char *file, int line)
{
    crypto_free *instead = (crypto_free *)INSTEAD("CRYPTO_secure_free");

    if (instead && !sm_arena_owns(p))
        instead(p, file, line);
    else if (p)
        give(p, file, line);
}

SM_EXPORT void CRYPTO_secure_clear_free(void *p, size_t size, const char *file, int line)
{
    void (*instead)(void *, size_t, const char *, int) =
        (void (*)(void *, size_t, const char *, int))INSTEAD("CRYPTO_secure_clear_free");

    if (instead && !sm_arena_owns(p)) {
        instead(p, size, file, line);
    } else if (p) {
        OPENSSL_cleanse(p, size);
        give(p, file, line);
    }
}

SM_EXPORT int CRYPTO_secure_allocated(const void *p)
{
    int (*instead)(const void *) = (int (*)(const void *))INSTEAD("CRYPTO_secure_allocated");

    return instead && !sm_arena_owns(p) ? instead(p) : is_secure(p);
}

SM_EXPORT size_t CRYPTO_secure_actual_size(void *p)
{
    size_t (*instead)(void *) = (size_t(*)(void *))INSTEAD("CRYPTO_secure_actual_size");

    if (instead && !sm_arena_owns(p))
        return instead(p);
    return is_secure(p) ? sm_usable_size(p) : 0;
}

SM_EXPORT size_t CRYPTO_secure_used(void)
{
    size_t (*instead)(void) = (size_t(*)(void))INSTEAD("CRYPTO_secure_used");

    return instead ? instead() : (size_t)__atomic_load_n(&used, __ATOMIC_RELAXED);
}
