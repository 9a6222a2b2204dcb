/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's secure heap answers as its manual says.
 *
 *   secure_heap KIND family|cleared|by_hook|keys|by_handle */
#include "common.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { SIZE = 65536 };

static void start(void)
{
    check(!CRYPTO_secure_malloc_initialized(), "it is off at first");
    check(CRYPTO_secure_malloc_init(16, 16) == 0, "not with fewer than four blocks");
    check(!CRYPTO_secure_malloc_initialized(), "and it stays off");
    check(CRYPTO_secure_malloc_init(SIZE, 32) == 1, "it is switched on");
    check(CRYPTO_secure_malloc_initialized() == 1, "and is on");
    check(CRYPTO_secure_malloc_init(SIZE, 32) == 0, "not twice");
}

static void family(void)
{
    start();

    char *one = OPENSSL_secure_malloc(100), *zeroed = OPENSSL_secure_zalloc(1000);
    char *ordinary = OPENSSL_malloc(100), *none = OPENSSL_secure_malloc(0);

    check_kind(one, "a secure block");
    check_kind(zeroed, "another");
    for (int i = 0; i < 1000; i++) {
        if (zeroed[i])
            check(false, "byte %d is not zero", i);
    }
    check(CRYPTO_secure_allocated(one) && CRYPTO_secure_allocated(zeroed), "they are known");
    check(!CRYPTO_secure_allocated(ordinary), "an ordinary one is none of them");
    check(!CRYPTO_secure_allocated(&one), "nor is the stack");
    check(OPENSSL_secure_actual_size(one) >= 100, "the size is at least what was asked for");
    check(CRYPTO_secure_used() == 128 + 1024 + (none ? 32 : 0),
          "%zu bytes are used: powers of two", CRYPTO_secure_used());
    check(CRYPTO_secure_malloc_done() == 0, "it cannot be switched off while it is used");
    OPENSSL_secure_free(ordinary);
    OPENSSL_secure_free(NULL);
    OPENSSL_secure_clear_free(NULL, 5);
    OPENSSL_secure_free(one);
    OPENSSL_secure_clear_free(zeroed, 1000);
    OPENSSL_secure_free(none);
    check(CRYPTO_secure_used() == 0, "nothing is used: %zu", CRYPTO_secure_used());
    check(CRYPTO_secure_malloc_done() == 1, "it is switched off");
    check(!CRYPTO_secure_malloc_initialized(), "and is off");
    one = OPENSSL_secure_malloc(100);
    check(one && !CRYPTO_secure_allocated(one), "a block without it is like any other");
    OPENSSL_secure_clear_free(one, 100);
    check(CRYPTO_secure_malloc_init(SIZE, 1) == 1, "on again, with a least size of 1");
    one = OPENSSL_secure_malloc(1);
    check(CRYPTO_secure_used() == 16, "which is 16: %zu bytes are used", CRYPTO_secure_used());
    OPENSSL_secure_free(one);
    check(CRYPTO_secure_malloc_done() == 1, "and off");
}

/* What is freed is cleared, whatever SECRETSSL_ZERO says; but OpenSSL begins a list there. */
static void cleared(void)
{
    start();

    char *block = OPENSSL_secure_malloc(128);
    volatile char *freed = block;
    int left = 0;

    memset(block, 'A', 128);
    OPENSSL_secure_free(block);
    for (int i = 32; i < 128; i++)
        left += freed[i] == 'A';
    check(left == 0, "%d of 96 bytes are left of a block that was freed", left);
}

/* As a libcrypto frees them that calls its own functions, for which they are not secure. */
static void by_hook(void)
{
    void *(*re)(void *, size_t, const char *, int);
    void (*give)(void *, const char *, int);

    start();
    CRYPTO_get_mem_functions(NULL, &re, &give);
    for (int i = 0; i < 100; i++) {
        give(OPENSSL_secure_malloc(100), __FILE__, __LINE__);
        give(re(OPENSSL_secure_malloc(100), 5000, __FILE__, __LINE__), __FILE__, __LINE__);
    }
    check(CRYPTO_secure_used() == 0, "nothing is used: %zu", CRYPTO_secure_used());

    int secure = 0;
    for (int i = 0; i < 1000; i++)
        secure += CRYPTO_secure_allocated(OPENSSL_malloc(100));
    check(secure == 0, "%d of 1000 ordinary blocks are thought to be secure", secure);
}

/* Where the private numbers of a key are, in a child too. */
static void keys(void)
{
    start();

    EVP_PKEY *key = EVP_RSA_gen(2048);
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    BIGNUM *number = BN_secure_new(), *d = NULL;
    unsigned char text[100] = "text", signature[512];
    size_t length = sizeof(signature);

    check(key && curve && number, "keys and a secure number");
    BN_set_word(number, 12345);
    check(BN_get_flags(number, BN_FLG_SECURE), "it is a secure one");
    /* What a libcrypto takes that is bound to itself is secret, but no block of the secure
     * heap. */
    check((CRYPTO_secure_used() > 0) !=
              (is_symbolic("libcrypto.so") && expected == MEMORY_SECRET),
          "%zu bytes are used", CRYPTO_secure_used());
    check(EVP_PKEY_get_bn_param(key, "d", &d), "d of the key");
    /* The first member points to the words. */
    check_kind(*(void **)number, "the words of a secure number");

    pid_t child = fork();
    if (child == 0) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool good = EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                    EVP_DigestSign(context, signature, &length, text, sizeof(text)) == 1;
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
        _exit(good && BN_is_word(number, 12345) ? 0 : 1);
    }
    check(status_of(child) == 0, "a child signs with the key");
    BN_clear_free(d);
    BN_clear_free(number);
    EVP_PKEY_free(key);
    EVP_PKEY_free(curve);
}

/* The name of the libcrypto that this program is linked with */
#define AS_TEXT(version)          #version
#define LINKED_LIBCRYPTO(version) "libcrypto.so." AS_TEXT(version)

/* By a handle, as a program that loads libcrypto itself does it. */
static void by_handle(void)
{
    void *handle = dlopen(LINKED_LIBCRYPTO(OPENSSL_SHLIB_VERSION), RTLD_NOW);
    int (*init)(size_t, size_t) =
        (int (*)(size_t, size_t))dlsym(handle, "CRYPTO_secure_malloc_init");
    void *(*take)(size_t, const char *, int) =
        (void *(*)(size_t, const char *, int))dlsym(handle, "CRYPTO_secure_malloc");
    void (*give)(void *, const char *, int) =
        (void (*)(void *, const char *, int))dlsym(handle, "CRYPTO_secure_free");

    check(init(SIZE, 32) == 1, "it is switched on");
    void *block = take(100, __FILE__, __LINE__), *other = OPENSSL_secure_malloc(100);
    check_kind(block, "a block");
    check(CRYPTO_secure_allocated(block) && CRYPTO_secure_allocated(other), "both are known");
    give(other, __FILE__, __LINE__);
    OPENSSL_secure_free(block);
    check(CRYPTO_secure_used() == 0, "nothing is used");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {{"family", family},       {"cleared", cleared},
                                             {"by_hook", by_hook},     {"keys", keys},
                                             {"by_handle", by_handle}, {NULL, NULL}};
    return run_case(cases, argc, argv);
}
