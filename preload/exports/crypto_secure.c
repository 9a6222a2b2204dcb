/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRYPTO_secure_malloc() and the rest of its family. OpenSSL's secure heap is locked, but
 * ordinary memory. The preload's has no size of its own: blocks come from the arena. A table
 * marks the secure blocks (secure_blocks.h), so that all queries get correct answers.
 */
#include "arena/sealed.h"
#include "base/common.h"
#include "exports/crypto_api.h"
#include "heap/malloc.h"
#include "hooks/mem_hooks.h"
#include "hooks/secure_blocks.h"
#include "libcrypto/resolve.h"
#include "start.h"
#include <string.h>

#define CALLER  __builtin_return_address(0)
#define SH_LIST (2 * sizeof(void *)) /* bytes that OpenSSL keeps in a free block */

static bool on;

static bool is_on(void)
{
    return __atomic_load_n(&on, __ATOMIC_ACQUIRE);
}

static bool power_of_two(size_t n)
{
    return n && (n & (n - 1)) == 0;
}

/*
 * Returns 1 if the pages are secret; 2 if not, as OpenSSL does for a heap that it cannot lock;
 * 0 on failure.
 */
static int switch_on(size_t least)
{
    void *probe;
    int answer = 0;
    bool opened;

    start_lock();
    opened = sm_pku_open();
    if (!on && secure_bits_make()) {
        secure_bits_round_to(least);
        probe = sm_malloc(1, SM_PART_BYTES);
        answer = probe && sm_is_secret(probe) ? 1 : 2;
        if (probe)
            sm_free(probe);
        __atomic_store_n(&on, true, __ATOMIC_RELEASE);
    }
    sm_pku_close(opened);
    start_unlock();
    return answer;
}

/* In OpenSSL 1.1.1 least was an int. */
SM_EXPORT int CRYPTO_secure_malloc_init(size_t size, size_t least)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_secure_malloc_init);
    uint32_t block = (uint32_t)sm_max((uint32_t)least, SH_LIST);

    if (instead)
        return instead(size, least);
    /* OpenSSL refuses a heap of fewer than four blocks. */
    if (!start_ready() || !power_of_two(size) || !power_of_two(block) || size / block < 4)
        return 0;
    return switch_on(block);
}

SM_EXPORT int CRYPTO_secure_malloc_done(void)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_secure_malloc_done);
    bool unused = secure_bits_used() == 0;

    if (instead)
        return instead();
    if (unused)
        __atomic_store_n(&on, false, __ATOMIC_RELEASE);
    return unused;
}

SM_EXPORT int CRYPTO_secure_malloc_initialized(void)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_secure_malloc_initialized);

    return instead ? instead() : is_on();
}

static void *secure_take(size_t size, const char *file, int line)
{
    void *p;

    if (!start_ready())
        return CRYPTO_malloc(size, file, line); /* counts allocations before the start */
    if (!is_on())
        return hook_malloc(size, file, line);
    /* With the secure heap on, size 0 gives a block of the least size. */
    p = hook_malloc(size + (size == 0), file, line);
    if (p && sm_arena_owns(p))
        secure_bits_set(p);
    return p;
}

/*
 * What a libcrypto asks of its secure heap is sealed, also outside of a window. Returns whether
 * sealed memory was opened for that.
 */
static bool secure_open(const void *caller)
{
    unsigned of = sm_pku_is_on() ? registry_of_code(caller) : LIBCRYPTO_NONE;

    return of != LIBCRYPTO_NONE && known[of].sealed && sm_pku_open();
}

static void *secure_take_open(const void *caller, size_t size, const char *file, int line,
                              bool zero)
{
    bool opened = secure_open(caller);
    void *p = secure_take(size, file, line);

    if (p && zero)
        memset(p, 0, size);
    sm_pku_close(opened);
    return p;
}

static void *secure_take_for(const void *caller, size_t size, const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(caller, CRYPTO_secure_malloc);

    return instead ? instead(size, file, line)
                   : secure_take_open(caller, size, file, line, false);
}

SM_EXPORT void *CRYPTO_secure_malloc(size_t size, const char *file, int line)
{
    return secure_take_for(CALLER, size, file, line);
}

static void *secure_zero_for(const void *caller, size_t size, const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(caller, CRYPTO_secure_zalloc);

    return instead ? instead(size, file, line)
                   : secure_take_open(caller, size, file, line, true);
}

SM_EXPORT void *CRYPTO_secure_zalloc(size_t size, const char *file, int line)
{
    return secure_zero_for(CALLER, size, file, line);
}

/* The next two functions exist from OpenSSL 3.6 on. */
SM_EXPORT void *CRYPTO_secure_malloc_array(size_t number, size_t size, const char *file,
                                           int line)
{
    size_t bytes;

    return __builtin_mul_overflow(number, size, &bytes)
               ? NULL
               : secure_take_for(CALLER, bytes, file, line);
}

SM_EXPORT void *CRYPTO_secure_calloc(size_t number, size_t size, const char *file, int line)
{
    size_t bytes;

    return __builtin_mul_overflow(number, size, &bytes)
               ? NULL
               : secure_zero_for(CALLER, bytes, file, line);
}

SM_EXPORT void CRYPTO_secure_free(void *p, const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_secure_free);

    if (instead && !sm_arena_owns(p))
        instead(p, file, line);
    else if (p)
        hook_free(p, file, line);
}

SM_EXPORT void CRYPTO_secure_clear_free(void *p, size_t size, const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_secure_clear_free);

    if (instead && !sm_arena_owns(p)) {
        instead(p, size, file, line);
    } else if (p) {
        OPENSSL_cleanse(p, size);
        hook_free(p, file, line);
    }
}

SM_EXPORT int CRYPTO_secure_allocated(const void *p)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_secure_allocated);

    return instead && !sm_arena_owns(p) ? instead(p) : secure_bits_has(p);
}

SM_EXPORT size_t CRYPTO_secure_actual_size(void *p)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_secure_actual_size);

    if (instead && !sm_arena_owns(p))
        return instead(p);
    return secure_bits_has(p) ? sm_usable_size(p) : 0;
}

SM_EXPORT size_t CRYPTO_secure_used(void)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_secure_used);

    return instead ? instead() : secure_bits_used();
}
