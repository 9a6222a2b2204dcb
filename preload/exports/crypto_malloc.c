/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The preload's CRYPTO_malloc() and its family, which symbol lookup finds before libcrypto's:
 * for every caller by name, including a libcrypto linked without -Bsymbolic. So the time when a
 * libcrypto is loaded does not matter. The hooks catch the calls that libcrypto makes directly
 * (discover.c).
 */
#include "arena/sealed.h"
#include "arena/shortage.h"
#include "base/common.h"
#include "base/settings.h"
#include "exports/crypto_api.h"
#include "heap/fallback.h"
#include "heap/malloc.h"
#include "hooks/mem_hooks.h"
#include "hooks/partition.h"
#include "libcrypto/engine.h"
#include "libcrypto/resolve.h"
#include "log/lapse.h"
#include "start.h"
#include <string.h>

#define CALLER __builtin_return_address(0)

void *crypto_take(size_t size, const char *file, int line)
{
    if (sm_likely(start_ready()))
        return hook_malloc(size, file, line);
    if (size == 0)
        return NULL;
    start_count_early();
    sm_short_of(SM_SHORT_EARLY);
    return sm_may_fall_back(SM_PART_KEY) ? sm_fallback_alloc(size, 1) : NULL;
}

/* A block from before the start is the C library's, as the hook sees by its address. */
static void *crypto_retake(void *p, size_t size, const char *file, int line)
{
    return p ? hook_realloc(p, size, file, line) : crypto_take(size, file, line);
}

/*
 * Returns true if instead, the function of a libcrypto that is not served, must resize p. Even
 * its callers may pass a block of the arena.
 */
static bool is_for(void *instead, const void *p)
{
    return sm_unlikely(instead != NULL) && (!sm_arena_owns(p) || engine_has(instead));
}

/* Each CRYPTO_free may be given a block of the other: p decides. */
static void crypto_give(const void *caller, void *p, const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(caller, CRYPTO_free);

    if (sm_unlikely(instead != NULL) && !sm_arena_owns(p))
        instead(p, file, line);
    else
        hook_free(p, file, line);
}

static void *zeroed(void *p, size_t size)
{
    /*
     * Blocks of the arena are zeroed already, unless ZERO=0 leaves them uncleared when they are
     * freed.
     */
    if (p && (!sm_settings.zero || !sm_arena_owns(p)))
        memset(p, 0, size);
    return p;
}

static void *crypto_take_for(const void *caller, size_t size, const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(caller, CRYPTO_malloc);

    return sm_unlikely(instead != NULL) ? instead(size, file, line)
                                        : crypto_take(size, file, line);
}

static void *crypto_zero_for(const void *caller, size_t size, const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(caller, CRYPTO_zalloc);

    return sm_unlikely(instead != NULL) ? instead(size, file, line)
                                        : zeroed(crypto_take(size, file, line), size);
}

SM_EXPORT void *CRYPTO_malloc(size_t size, const char *file, int line)
{
    return crypto_take_for(CALLER, size, file, line);
}

SM_EXPORT void *CRYPTO_zalloc(size_t size, const char *file, int line)
{
    return crypto_zero_for(CALLER, size, file, line);
}

static void *retake_for(const void *caller, void *p, size_t size, const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(caller, CRYPTO_realloc);

    return is_for((void *)instead, p) ? instead(p, size, file, line)
                                      : crypto_retake(p, size, file, line);
}

SM_EXPORT void *CRYPTO_realloc(void *p, size_t size, const char *file, int line)
{
    return retake_for(CALLER, p, size, file, line);
}

SM_EXPORT void CRYPTO_free(void *p, const char *file, int line)
{
    crypto_give(CALLER, p, file, line);
}

static void clear_and_give(const void *caller, void *p, size_t size, const char *file, int line)
{
    if (p && size)
        OPENSSL_cleanse(p, size);
    crypto_give(caller, p, file, line);
}

SM_EXPORT void CRYPTO_clear_free(void *p, size_t size, const char *file, int line)
{
    clear_and_give(CALLER, p, size, file, line);
}

/* As OpenSSL's function: moves a block that grows, and clears the tail of one that shrinks. */
static void *clear_and_retake(const void *caller, void *p, size_t old, size_t size,
                              const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(caller, CRYPTO_clear_realloc);
    void *to;

    if (is_for((void *)instead, p))
        return instead(p, old, size, file, line);
    if (!p)
        return crypto_take(size, file, line);
    if (size == 0) {
        clear_and_give(caller, p, old, file, line);
        return NULL;
    }
    if (size < old) {
        OPENSSL_cleanse((char *)p + size, old - size);
        return p;
    }
    to = crypto_take(size, file, line);
    if (to) {
        memcpy(to, p, old);
        clear_and_give(caller, p, old, file, line);
    }
    return to;
}

SM_EXPORT void *CRYPTO_clear_realloc(void *p, size_t old, size_t size, const char *file,
                                     int line)
{
    return clear_and_retake(CALLER, p, old, size, file, line);
}

/*
 * CRYPTO_aligned_alloc() exists from OpenSSL 3.4 on. The caller frees *free_this, whatever the
 * alignment is.
 */
static void *align_for(const void *caller, size_t size, size_t align, void **free_this,
                       const char *file, int line)
{
    __auto_type instead = LIBCRYPTO_OWN(caller, CRYPTO_aligned_alloc);
    unsigned part;

    if (sm_unlikely(instead != NULL))
        return instead(size, align, free_this, file, line);
    *free_this = NULL;
    part = partition_for(file, size);
    if (align == 0 || (align & (align - 1)) != 0 || size > SIZE_MAX - align)
        return NULL;
    if (align <= SM_PAGE && part < SM_PARTS && start_ready()) {
        *free_this = sm_aligned_malloc(align, size, part);
        return *free_this;
    }
    *free_this = crypto_take(size + align, file, line);
    return *free_this ? (void *)sm_round_up((uintptr_t)*free_this, align) : NULL;
}

SM_EXPORT void *CRYPTO_aligned_alloc(size_t size, size_t align, void **free_this,
                                     const char *file, int line)
{
    return align_for(CALLER, size, align, free_this, file, line);
}

/*
 * The functions for arrays exist from OpenSSL 3.6 on. They return NULL if number * size
 * overflows.
 */
SM_EXPORT void *CRYPTO_aligned_alloc_array(size_t number, size_t size, size_t align,
                                           void **free_this, const char *file, int line)
{
    size_t bytes;

    if (__builtin_mul_overflow(number, size, &bytes)) {
        *free_this = NULL;
        return NULL;
    }
    return align_for(CALLER, bytes, align, free_this, file, line);
}

SM_EXPORT void *CRYPTO_malloc_array(size_t number, size_t size, const char *file, int line)
{
    size_t bytes;

    return __builtin_mul_overflow(number, size, &bytes)
               ? NULL
               : crypto_take_for(CALLER, bytes, file, line);
}

SM_EXPORT void *CRYPTO_calloc(size_t number, size_t size, const char *file, int line)
{
    size_t bytes;

    return __builtin_mul_overflow(number, size, &bytes)
               ? NULL
               : crypto_zero_for(CALLER, bytes, file, line);
}

SM_EXPORT void *CRYPTO_realloc_array(void *p, size_t number, size_t size, const char *file,
                                     int line)
{
    size_t bytes;

    return __builtin_mul_overflow(number, size, &bytes)
               ? NULL
               : retake_for(CALLER, p, bytes, file, line);
}

SM_EXPORT void *CRYPTO_clear_realloc_array(void *p, size_t old, size_t number, size_t size,
                                           const char *file, int line)
{
    size_t bytes, old_bytes;

    if (__builtin_mul_overflow(number, size, &bytes) ||
        __builtin_mul_overflow(old, size, &old_bytes))
        return NULL;
    return clear_and_retake(CALLER, p, old_bytes, bytes, file, line);
}

static void *copy(void *to, const void *from, size_t size)
{
    return to ? memcpy(to, from, size) : NULL;
}

SM_EXPORT void *CRYPTO_memdup(const void *from, size_t size, const char *file, int line)
{
    bool opened;
    void *to;

    if (!from || size >= INT32_MAX)
        return NULL;
    /* For libcrypto alone: others would copy a key by it. */
    opened = sm_in_sealed(from) && libcrypto_contains(CALLER) && sm_pku_open();
    to = copy(crypto_take_for(CALLER, size, file, line), from, size);
    sm_pku_close(opened);
    return to;
}

static char *text_copy(char *to, const char *from, size_t length)
{
    if (copy(to, from, length))
        to[length] = '\0';
    return to;
}

SM_EXPORT char *CRYPTO_strdup(const char *from, const char *file, int line)
{
    size_t length = from ? strlen(from) : 0;

    return from ? text_copy(crypto_take_for(CALLER, length + 1, file, line), from, length)
                : NULL;
}

SM_EXPORT char *CRYPTO_strndup(const char *from, size_t most, const char *file, int line)
{
    size_t length = from ? strnlen(from, most) : 0;

    return from ? text_copy(crypto_take_for(CALLER, length + 1, file, line), from, length)
                : NULL;
}

static bool are_ours(crypto_malloc *m, crypto_realloc *r, crypto_free *f)
{
    return (!m || m == hook_malloc) && (!r || r == hook_realloc) && (!f || f == hook_free);
}

/*
 * Refuses the program's functions, as OpenSSL does once it has allocated, because the program's
 * free would be given blocks of the arena. Success would promise to call the functions, and
 * programs rely on that. An engine's functions are called. SECRETSSL_FUNCTIONS=ignore reports
 * success all the same, to programs that end if it fails, and rely on nothing more.
 */
SM_EXPORT int CRYPTO_set_mem_functions(crypto_malloc *m, crypto_realloc *r, crypto_free *f)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_set_mem_functions);

    if (instead && !engine_has((void *)instead))
        return instead(m, r, f);
    if (!start_ready())
        return 0;
    if (are_ours(m, r, f) || engine_shares(CALLER, m, r, f))
        return 1;
    if (sm_settings.functions == SM_FUNCTIONS_IGNORE)
        return 1;
    sm_lapse(SM_LAPSE_FUNCTIONS,
             "the program's own memory functions for OpenSSL "
             "(CRYPTO_set_mem_functions) are refused, as OpenSSL refuses them after its first "
             "allocation: libsecretssl's functions stay in use; if the program ends because of "
             "this, try SECRETSSL_FUNCTIONS=ignore, or run it without the preload");
    return 0;
}

/* Gives the functions that are in use. */
SM_EXPORT void CRYPTO_get_mem_functions(crypto_malloc **m, crypto_realloc **r, crypto_free **f)
{
    __auto_type instead = LIBCRYPTO_OWN(CALLER, CRYPTO_get_mem_functions);

    if (instead) {
        instead(m, r, f);
        return;
    }
    if (m)
        *m = hook_malloc;
    if (r)
        *r = hook_realloc;
    if (f)
        *f = hook_free;
}
