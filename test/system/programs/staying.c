/* SPDX-License-Identifier: Apache-2.0 */
/* A program that loads libcrypto, and gives it memory functions of its own.
 *
 *   staying KIND CASE */
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static unsigned own_calls;

static void *own_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    own_calls++;
    return malloc(size);
}

static void *own_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    own_calls++;
    return realloc(p, size);
}

static void own_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    own_calls++;
    free(p);
}

/*
 * The functions of the program are refused, as OpenSSL refuses them once it has allocated, and
 * what is there stays in use. Without us they are accepted, and called.
 */
static void set_with(set_fn *set, void *libcrypto, const char *how)
{
    void *where = libcrypto;
    get_fn *get = (get_fn *)symbol(where, "CRYPTO_get_mem_functions");
    malloc_fn *m = (malloc_fn *)symbol(libcrypto, "CRYPTO_malloc"), *now = NULL;
    free_fn *f = (free_fn *)symbol(libcrypto, "CRYPTO_free"), *now_free = NULL;
    void *(*key)(const char *) = (void *(*)(const char *))symbol(libcrypto, "BN_new");
    void (*key_free)(void *) = (void (*)(void *))symbol(libcrypto, "BN_free");
    /* Without us OpenSSL refuses once it has allocated. */
    bool served = expected == MEMORY_SECRET;
    void *before = served ? m(100, __FILE__, __LINE__) : NULL,
         *number = served ? key(NULL) : NULL, *after;

    check(set(own_malloc, own_realloc, own_free) == !served, "%s: set says %d", how, !served);
    get(&now, NULL, &now_free);
    check((now == own_malloc) == !served, "%s: get says what is so", how);
    after = now(100, __FILE__, __LINE__);
    check_kind(after, "a block from what get gave");
    now_free(after, __FILE__, __LINE__);
    key_free(number);
    after = key(NULL);
    check_kind(after, "a big number afterwards");
    key_free(after);
    f(before, __FILE__, __LINE__);
    check((own_calls == 0) == served, "%s: %u calls of the program's own", how, own_calls);
}

static void set_by(void *where, void *libcrypto, const char *version, const char *how)
{
    static const char name[] = "CRYPTO_set_mem_functions";

    set_with((set_fn *)(version ? dlvsym(where, name, version) : symbol(where, name)),
             libcrypto, how);
}

/* dlsym itself was asked for, of the C library */
static void set_by_found(void *(*found)(void *, const char *), const char *how)
{
    void *handle = opened(LIBCRYPTO, RTLD_NOW | RTLD_LOCAL);

    set_with((set_fn *)found(handle, "CRYPTO_set_mem_functions"), handle, how);
}

static void set_by_versioned_dlsym(void)
{
    set_by_found((void *(*)(void *, const char *))dlvsym(RTLD_DEFAULT, "dlsym", "GLIBC_2.34"),
                 "a dlsym with a version");
}

static void set_by_dlsym_of_libc(void)
{
    void *libc = opened("libc.so.6", RTLD_NOW);

    set_by_found((void *(*)(void *, const char *))symbol(libc, "dlsym"),
                 "the C library's dlsym");
    check(!dlvsym(libc, "dlsym", "NONE") && dlerror(), "an unknown version is an error");
    check(dlsym(RTLD_NEXT, "dlsym") != NULL, "there is one behind the program");
}

static void set_by_handle(void)
{
    void *handle = opened(LIBCRYPTO, RTLD_NOW | RTLD_LOCAL);
    set_by(handle, handle, NULL, "dlsym of the handle");
}

static void set_by_default(void)
{
    set_by(RTLD_DEFAULT, opened(LIBCRYPTO, RTLD_NOW | RTLD_GLOBAL), NULL, "RTLD_DEFAULT");
}

static void set_by_next(void)
{
    set_by(RTLD_NEXT, opened(LIBCRYPTO, RTLD_NOW | RTLD_GLOBAL), NULL, "RTLD_NEXT");
}

static void set_by_version(void)
{
    void *handle = opened(LIBCRYPTO, RTLD_NOW | RTLD_LOCAL);
    set_by(handle, handle, "OPENSSL_3.0.0", "dlvsym of the handle");
}

/* As MariaDB does it: whoever is told that its functions are used takes it at its word. */
static void believes(void)
{
    void *handle = opened(LIBCRYPTO, RTLD_NOW | RTLD_LOCAL);
    set_fn *set = (set_fn *)symbol(handle, "CRYPTO_set_mem_functions");
    get_fn *get = (get_fn *)symbol(handle, "CRYPTO_get_mem_functions");
    malloc_fn *m = (malloc_fn *)symbol(handle, "CRYPTO_malloc"), *now = NULL;
    free_fn *f = (free_fn *)symbol(handle, "CRYPTO_free");
    realloc_fn *r = NULL;
    free_fn *now_free = NULL;
    int told = set(own_malloc, own_realloc, own_free);
    void *block = m(100, __FILE__, __LINE__);

    check(own_calls == (unsigned)told, "told %d, and %u calls", told, own_calls);
    f(block, __FILE__, __LINE__);
    get(&now, &r, &now_free);
    check(set(now, r, now_free) == 1, "those that are in use may be installed again");
}

/* Told that its functions are used, and none of them is called. */
static void ignored(void)
{
    void *handle = opened(LIBCRYPTO, RTLD_NOW | RTLD_LOCAL), *block;
    set_fn *set = (set_fn *)symbol(handle, "CRYPTO_set_mem_functions");
    malloc_fn *m = (malloc_fn *)symbol(handle, "CRYPTO_malloc");
    free_fn *f = (free_fn *)symbol(handle, "CRYPTO_free");

    check(set(own_malloc, own_realloc, own_free) == 1, "the program is told that it is done");
    block = m(100, __FILE__, __LINE__);
    check_kind(block, "a block afterwards");
    f(block, __FILE__, __LINE__);
    check((own_calls == 0) == (expected == MEMORY_SECRET), "%u calls of its own", own_calls);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"set_by_handle", set_by_handle},
        {"set_by_default", set_by_default},
        {"set_by_next", set_by_next},
        {"set_by_version", set_by_version},
        {"set_by_versioned_dlsym", set_by_versioned_dlsym},
        {"set_by_dlsym_of_libc", set_by_dlsym_of_libc},
        {"believes", believes},
        {"ignored", ignored},
        {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
