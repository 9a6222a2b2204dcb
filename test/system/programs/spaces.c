/* SPDX-License-Identifier: Apache-2.0 */
/* Libcryptos in name spaces of their own, with C libraries of their own.
 *
 *   spaces KIND CASE */
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

static void new_space(void)
{
    void *search = opened(beside("libsearch_runpath.so"), RTLD_NOW);
    open_fn *in_space = (open_fn *)symbol(search, "search_in_new_space");
    void *handle = dlmopen(LM_ID_NEWLM, beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL);
    char *(*duplicate)(const char *);

    check(handle != NULL, "dlmopen");
    check_library(handle, "a block of one in a name space of its own");
    duplicate = (char *(*)(const char *))symbol(handle, "strdup");
    ((free_fn *)symbol(handle, "CRYPTO_free"))(duplicate("its C library's"), __FILE__,
                                               __LINE__);
    handle = in_space("libdeep_1.so", RTLD_NOW);
    check(handle != NULL, "found by the caller's RUNPATH");
    check(((open_fn *)symbol(search, "search_and_open"))("libdeep_2.so", RTLD_NOW) != NULL,
          "found in the first name space");
    check(in_space("libdeep_2.so", RTLD_NOW) != NULL, "and once more in another");
    check(dlmopen(LM_ID_BASE, "libnone.so", RTLD_NOW) == NULL && dlerror() != NULL, "absent");
}

enum { FULL_BLOCKS = 64, FULL_SIZE = 4000, FULL_GROWN = 10000 };

/* Only the program's own C library has the memory behind the program. */
static bool in_own_heap(const void *block)
{
    extern char end[];

    return (const char *)block >= end && (const char *)block < (const char *)sbrk(0);
}

/* More than the arena holds: the rest is that of the name space's own C library. */
static void fill_arena_from(void *space)
{
    malloc_fn *m = (malloc_fn *)symbol(space, "CRYPTO_malloc");
    realloc_fn *r = (realloc_fn *)symbol(space, "CRYPTO_realloc");
    free_fn *f = (free_fn *)symbol(space, "CRYPTO_free");
    void *(*libc_realloc)(void *, size_t) = (void *(*)(void *, size_t))symbol(space, "realloc");
    void *blocks[FULL_BLOCKS];
    bool good = true;
    int own = 0;

    for (uint64_t i = 0; i < FULL_BLOCKS; i++) {
        blocks[i] = m(FULL_SIZE, __FILE__, __LINE__);
        fill(blocks[i], FULL_SIZE, i);
    }
    check_kind(blocks[0], "the first block");
    check(kind_of(blocks[FULL_BLOCKS - 1]) == MEMORY_ORDINARY, "the last: ordinary memory");
    for (uint64_t i = 0; i < FULL_BLOCKS; i += 7) {
        blocks[i] = r(blocks[i], FULL_GROWN, __FILE__, __LINE__);
        good = good && blocks[i] && whole(blocks[i], FULL_SIZE, i);
    }
    for (int i = 0; i < FULL_BLOCKS; i++)
        own += in_own_heap(blocks[i]);
    check(own == 0, "%d blocks of the first name space's C library", own);
    blocks[FULL_BLOCKS - 1] = libc_realloc(blocks[FULL_BLOCKS - 1], FULL_GROWN);
    for (uint64_t i = 0; i < FULL_BLOCKS; i++) {
        good = good && whole(blocks[i], FULL_SIZE, i);
        f(blocks[i], __FILE__, __LINE__);
    }
    check(good, "what they hold is kept");
}

static void full_in_space(void)
{
    void *one = dlmopen(LM_ID_NEWLM, beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL);
    void *other = dlmopen(LM_ID_NEWLM, beside("libfake_4.so"), RTLD_NOW | RTLD_LOCAL);

    check(one && other, "two name spaces");
    fill_arena_from(one);
    fill_arena_from(other);
}

/* Debian's, in a name space whose C library numbers its keys of threads as ours does. */
static void *use_in_space(void *space)
{
    void *(*bio_new)(const void *) = (void *(*)(const void *))symbol(space, "BIO_new");
    const void *(*memory)(void) = (const void *(*)(void))symbol(space, "BIO_s_mem");
    int (*bio_free)(void *) = (int (*)(void *))symbol(space, "BIO_free");
    void *(*make)(void *, const char *, const char *, ...) =
        (void *(*)(void *, const char *, const char *, ...))symbol(space, "EVP_PKEY_Q_keygen");
    void (*unmake)(void *) = (void (*)(void *))symbol(space, "EVP_PKEY_free");

    for (int i = 0; i < 3; i++) {
        void *bio = bio_new(memory()), *key = make(NULL, NULL, "ED25519");

        check_kind(bio, "a BIO of a libcrypto in a name space of its own");
        check_kind(key, "a key of it");
        bio_free(bio);
        unmake(key);
    }
    return NULL;
}

static void real_in_space(void)
{
    void *space = dlmopen(LM_ID_NEWLM, LIBCRYPTO, RTLD_NOW | RTLD_LOCAL);
    pthread_t id;

    check(space != NULL, "dlmopen");
    use_in_space(space);
    if (pthread_create(&id, NULL, use_in_space, space) != 0)
        broken("pthread_create");
    pthread_join(id, NULL);
}

/* The first name space's secure blocks, where one of another takes them for its own. */
static void secure_in_space(void)
{
    void *first = opened(LIBCRYPTO, RTLD_NOW);
    void *space = dlmopen(LM_ID_NEWLM, beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL);
    int (*start)(size_t, size_t) =
        (int (*)(size_t, size_t))symbol(first, "CRYPTO_secure_malloc_init");
    size_t (*used)(void) = (size_t (*)(void))symbol(first, "CRYPTO_secure_used");
    int (*is_secure)(const void *) =
        (int (*)(const void *))symbol(first, "CRYPTO_secure_allocated");
    malloc_fn *secure = (malloc_fn *)symbol(first, "CRYPTO_secure_malloc");
    malloc_fn *m = (malloc_fn *)symbol(first, "CRYPTO_malloc");
    int known = 0;

    check(space && start(1 << 16, 32) == 1, "a secure heap");
    for (int i = 0; i < FULL_BLOCKS; i++) {
        void *block = ((realloc_fn *)symbol(space, "CRYPTO_realloc"))(
            secure(FULL_SIZE, __FILE__, __LINE__), FULL_GROWN, __FILE__, __LINE__);

        check_kind(block, "a secure block that was made larger");
        ((free_fn *)symbol(space, "CRYPTO_free"))(block, __FILE__, __LINE__);
    }
    check(used() == 0, "nothing is used: %zu", used());
    for (int i = 0; i < FULL_BLOCKS; i++)
        known += is_secure(m(FULL_SIZE, __FILE__, __LINE__));
    check(known == 0, "%d ordinary blocks are thought to be secure", known);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"new_space", new_space},
        {"real_in_space", real_in_space},
        {"full_in_space", full_in_space},
        {"secure_in_space", secure_in_space},
        {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
