/* SPDX-License-Identifier: Apache-2.0 */
/* The allocation functions that OpenSSL has since 3.4 and 3.6, of a library that has them.
 *
 *   arrays KIND by_name|by_handle|none_in_older|secure */
#include "arrays.h"
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <string.h>

#include <openssl/crypto.h>

#define HERE "arrays.c", 1
#define HUGE ((size_t)1 << 40) /* its square is more than there are addresses */

static struct {
    aligned_fn *aligned;
    aligned_array_fn *aligned_array;
    array_fn *calloc, *malloc_array;
    realloc_array_fn *realloc_array;
    clear_realloc_array_fn *clear_realloc_array;
} call = {
    CRYPTO_aligned_alloc, CRYPTO_aligned_alloc_array, CRYPTO_calloc,
    CRYPTO_malloc_array,  CRYPTO_realloc_array,       CRYPTO_clear_realloc_array,
};

static void check_zero(const char *p, size_t size, const char *what)
{
    size_t wrong = 0;

    for (size_t i = 0; i < size; i++)
        wrong += p[i] != 0;
    check(wrong == 0, "%s: %zu bytes are not zero", what, wrong);
}

static void check_aligned(size_t size, size_t align)
{
    void *free_this = NULL;
    char *p = call.aligned(size, align, &free_this, HERE);

    if (!p)
        broken("CRYPTO_aligned_alloc");
    check((uintptr_t)p % align == 0, "%zu bytes aligned to %zu", size, align);
    check_kind(p, "they");
    memset(p, 7, size);
    CRYPTO_free(free_this, HERE);
}

static void alignments(void)
{
    void *free_this = &free_this;

    check_aligned(1000, 1);
    check_aligned(1000, 64);
    check_aligned(1, 4096);
    check_aligned(1 << 20, 4096);
    check_aligned(5000, 1 << 16);
    check(!call.aligned(100, 48, &free_this, HERE) && !free_this, "48 is no alignment");
    check(!call.aligned(100, 0, &free_this, HERE) && !free_this, "nor is 0");
    check(!call.aligned((size_t)-64, 64, &free_this, HERE) && !free_this, "too much is none");
    free_this = &free_this;
    check(!call.aligned_array(HUGE, HUGE, 64, &free_this, HERE) && !free_this,
          "an array of so many is none");
    char *p = call.aligned_array(10, 100, 64, &free_this, HERE);
    if (!p)
        broken("CRYPTO_aligned_alloc_array");
    check((uintptr_t)p % 64 == 0, "an array is aligned");
    check_kind(p, "it");
    memset(p, 7, 1000);
    CRYPTO_free(free_this, HERE);
}

static void by_name(void)
{
    char *p, *q;

    alignments();
    /* So that the next block is not zero by chance */
    for (int i = 0; i < 100; i++) {
        p = CRYPTO_malloc(1000, HERE);
        memset(p, 5, 1000);
        CRYPTO_free(p, HERE);
    }
    p = call.calloc(10, 100, HERE);
    check_kind(p, "calloc");
    check_zero(p, 1000, "calloc");
    CRYPTO_free(p, HERE);
    p = call.malloc_array(10, 100, HERE);
    check_kind(p, "malloc_array");
    memset(p, 5, 1000);
    p = call.realloc_array(p, 100, 100, HERE);
    check_kind(p, "realloc_array");
    check(p[999] == 5, "what was there is kept");
    p = call.clear_realloc_array(p, 100, 200, 100, HERE);
    check_kind(p, "clear_realloc_array");
    check(p[999] == 5, "here too");
    check(!call.malloc_array(HUGE, HUGE, HERE) && !call.calloc(HUGE, HUGE, HERE) &&
              !call.realloc_array(p, HUGE, HUGE, HERE) &&
              !call.clear_realloc_array(p, 200, HUGE, HUGE, HERE),
          "arrays that are too large are none");
    check(p[999] == 5, "and the old one stays");
    q = call.realloc_array(NULL, 2, 50, HERE);
    check_kind(q, "realloc_array of nothing");
    CRYPTO_free(q, HERE);
    CRYPTO_free(p, HERE);
}

static void by_handle(void)
{
    void *handle = opened(beside("libfake_36.so"), RTLD_NOW | RTLD_LOCAL);

    call.aligned = (aligned_fn *)symbol(handle, "CRYPTO_aligned_alloc");
    call.aligned_array = (aligned_array_fn *)symbol(handle, "CRYPTO_aligned_alloc_array");
    call.calloc = (array_fn *)symbol(handle, "CRYPTO_calloc");
    call.malloc_array = (array_fn *)symbol(handle, "CRYPTO_malloc_array");
    call.realloc_array = (realloc_array_fn *)symbol(handle, "CRYPTO_realloc_array");
    call.clear_realloc_array =
        (clear_realloc_array_fn *)symbol(handle, "CRYPTO_clear_realloc_array");
    by_name();
}

/* Whoever asks an older libcrypto is told that it has none. */
static void none_in_older(void)
{
    void *handle = opened(beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL);

    check(!dlsym(handle, "CRYPTO_calloc") && dlerror(), "3.5 has no CRYPTO_calloc");
    check(symbol(handle, "CRYPTO_malloc") != NULL, "it has CRYPTO_malloc");
}

static void secure(void)
{
    char *p, *q;

    check(CRYPTO_secure_malloc_init(65536, 16) == 1, "the secure heap is switched on");
    p = CRYPTO_secure_malloc_array(10, 10, HERE);
    q = CRYPTO_secure_calloc(10, 10, HERE);
    check_kind(p, "secure_malloc_array");
    check_kind(q, "secure_calloc");
    check(CRYPTO_secure_allocated(p) && CRYPTO_secure_allocated(q), "they are secure");
    check(CRYPTO_secure_used() == 256, "%zu bytes are used", CRYPTO_secure_used());
    check_zero(q, 100, "secure_calloc");
    check(!CRYPTO_secure_malloc_array(HUGE, HUGE, HERE) &&
              !CRYPTO_secure_calloc(HUGE, HUGE, HERE),
          "arrays that are too large are none");
    CRYPTO_secure_free(p, HERE);
    CRYPTO_secure_clear_free(q, 100, HERE);
    check(CRYPTO_secure_malloc_done() == 1, "nothing is left");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {{"by_name", by_name},
                                             {"by_handle", by_handle},
                                             {"none_in_older", none_in_older},
                                             {"secure", secure},
                                             {NULL, NULL}};

    return run_case(cases, argc, argv);
}
