/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of arrive.c: libraries that come too late, are too old, or are no OpenSSL. */
#include "arrive.h"
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* Its own functions go on serving a library that is not ours to serve. */
static void unserved_of(void *handle, const char *name)
{
    void *(*take)(size_t) = (void *(*)(size_t))symbol(handle, "fake_take");
    void (*give)(void *) = (void (*)(void *))symbol(handle, "fake_give");
    malloc_fn *m = (malloc_fn *)dlsym(handle, "CRYPTO_malloc");
    void *block = take(100);

    check(kind_of(block) == MEMORY_ORDINARY, "%s: ordinary memory", name);
    give(block);
    if (!m)
        return;
    block = m(100, __FILE__, __LINE__);
    check(kind_of(block) == MEMORY_ORDINARY, "%s: by name as well", name);
    give(block);
    block = ((malloc_fn *)symbol(RTLD_DEFAULT, "CRYPTO_malloc"))(100, __FILE__, __LINE__);
    check(kind_of(block) == MEMORY_ORDINARY, "%s: and through the first of that name", name);
    free(block);
}

static void unserved(const char *name)
{
    unserved_of(opened(beside(name), RTLD_NOW | RTLD_GLOBAL), name);
}

void arrive_late(void)
{
    unserved("libfake_late.so");
}

void arrive_libressl(void)
{
    unserved("libfake_libressl.so");
}

void arrive_boringssl(void)
{
    unserved("libfake_boringssl.so");
}

/* It calls functions of ours, which it looks for by name: nothing is installed. */
void arrive_boringssl_by_name(void)
{
    void *handle = opened(beside("libfake_weak_boringssl.so"), RTLD_NOW);
    void *(*take)(size_t) = (void *(*)(size_t))symbol(handle, "fake_take");
    void (*give)(void *) = (void (*)(void *))symbol(handle, "fake_give");
    void *block = take(100), *none = take(0);

    check_kind(block, "a block");
    check(none != NULL, "a block of size 0");
    give(block);
    give(none);
}

/* In another namespace it does not find them. */
void arrive_boringssl_elsewhere(void)
{
    static const char name[] = "libfake_weak_boringssl.so";

    unserved_of(dlmopen(LM_ID_NEWLM, beside(name), RTLD_NOW), name);
}

#define ANDROID "/usr/lib/x86_64-linux-gnu/android/libcrypto.so.0"

/* Debian's BoringSSL: the words of a number, which grows, and the blocks of a key. */
void arrive_boringssl_of_android(void)
{
    void *handle = opened(ANDROID, RTLD_NOW);
    void *(*number)(void) = (void *(*)(void))symbol(handle, "BN_new");
    int (*set)(void *, unsigned long) =
        (int (*)(void *, unsigned long))symbol(handle, "BN_set_word");
    int (*shift)(void *, const void *, int) =
        (int (*)(void *, const void *, int))symbol(handle, "BN_lshift");
    void (*clear)(void *) = (void (*)(void *))symbol(handle, "BN_clear_free");
    void *(*take)(size_t) = (void *(*)(size_t))symbol(handle, "OPENSSL_malloc");
    void *(*retake)(void *, size_t) =
        (void *(*)(void *, size_t))symbol(handle, "OPENSSL_realloc");
    void (*give)(void *) = (void (*)(void *))symbol(handle, "OPENSSL_free");
    void *one = number();
    char *block = take(100);

    check(set(one, 12345) && shift(one, one, 5000), "a number of 5,000 bits");
    /* The first member points to the words. */
    check_kind(*(void **)one, "its words");
    clear(one);
    check_kind(block, "a block");
    memcpy(block, "text", 5);
    block = retake(block, 100000);
    check(block && strcmp(block, "text") == 0, "which grows, and keeps what it has");
    check_kind(block, "the block, moved");
    give(block);
}

void arrive_old(void)
{
    unserved("libfake_old.so");
}

void arrive_old_members(void)
{
    unserved("libfake_old_members.so");
}
