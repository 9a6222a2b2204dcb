/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with private keys that reads all of its own memory, as an attacker who can read
 * anything inside the process.
 *
 *   sealed_reader FILE KEY...
 *
 * Loads the keys and signs with each, copies every byte that it can read into FILE, and signs
 * again.
 */
#include "common.h"
#include "memory_copy.h"

#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

enum { KEYS_MOST = 8 };

static bool sign_and_verify(EVP_PKEY *key)
{
    static const unsigned char text[] = "what is signed";
    unsigned char signature[8192];
    size_t length = sizeof(signature);
    bool is_pure = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ML-DSA-65");
    const EVP_MD *digest = is_pure ? NULL : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestSignInit(context, NULL, digest, NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &length, text, sizeof(text)) == 1;

    EVP_MD_CTX_free(context);
    context = EVP_MD_CTX_new();
    good = good && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
           EVP_DigestVerify(context, signature, length, text, sizeof(text)) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static EVP_PKEY *load(const char *file)
{
    FILE *pem = fopen(file, "r");
    EVP_PKEY *key = pem ? PEM_read_PrivateKey(pem, NULL, NULL, NULL) : NULL;

    if (!key)
        broken(file);
    fclose(pem);
    return key;
}

int main(int argc, char **argv)
{
    EVP_PKEY *keys[KEYS_MOST];
    struct memory_copied count;
    int number = argc - 2;

    if (number < 1 || number > KEYS_MOST)
        broken("usage: sealed_reader FILE KEY...");
    memory_copy_init();
    for (int i = 0; i < number; i++) {
        keys[i] = load(argv[i + 2]);
        check(sign_and_verify(keys[i]), "signs with key %d", i);
        check(sign_and_verify(keys[i]), "signs with key %d once more", i);
    }
    count = memory_copy(argv[1]);
    for (int i = 0; i < number; i++)
        check(sign_and_verify(keys[i]), "signs with key %d afterwards", i);
    for (int i = 0; i < number; i++)
        EVP_PKEY_free(keys[i]);
    printf("read %zu refused %zu\n", count.copied, count.refused);
    return finish();
}
