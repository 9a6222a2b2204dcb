/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with private keys that reads all of its own memory, as an attacker who can read
 * anything inside the process.
 *
 *   sealed_reader FILE KEY...
 *   sealed_reader -w FILE KEY...
 *
 * Loads the keys and signs with each, copies every byte that it can read into FILE, and signs
 * again. With -w another thread works with the keys all the time (it derives from those of
 * curves, and signs with the others), and there are several copies: FILE.0 and so on.
 */
#include "common.h"
#include "memory_copy.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

enum { KEYS_MOST = 8, COPIES = 6 };

static EVP_PKEY *keys[KEYS_MOST];
static int number;
static volatile bool stop;

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

/* With the public half of the same key. */
static bool derive(EVP_PKEY *key)
{
    unsigned char secret[128];
    size_t length = sizeof(secret);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool good = context && EVP_PKEY_derive_init(context) == 1 &&
                EVP_PKEY_derive_set_peer(context, key) == 1 &&
                EVP_PKEY_derive(context, secret, &length) == 1;

    EVP_PKEY_CTX_free(context);
    return good;
}

static void *work(void *unused)
{
    bool good = true;

    while (!stop && good)
        for (int i = 0; i < number; i++)
            good &= EVP_PKEY_is_a(keys[i], "EC") ? derive(keys[i]) : sign_and_verify(keys[i]);
    check(good, "works with the keys meanwhile");
    return unused;
}

static struct memory_copied copy_meanwhile(const char *file)
{
    struct memory_copied count = {0}, one;
    pthread_t worker;
    char name[4096];

    if (pthread_create(&worker, NULL, work, NULL) != 0)
        broken("pthread_create");
    for (int i = 0; i < COPIES; i++) {
        snprintf(name, sizeof(name), "%s.%d", file, i);
        one = memory_copy(name);
        count.copied += one.copied;
        count.refused += one.refused;
    }
    stop = true;
    pthread_join(worker, NULL);
    return count;
}

int main(int argc, char **argv)
{
    struct memory_copied count;
    bool meanwhile = argc > 1 && strcmp(argv[1], "-w") == 0;

    argv += meanwhile;
    number = argc - meanwhile - 2;
    if (number < 1 || number > KEYS_MOST)
        broken("usage: sealed_reader [-w] FILE KEY...");
    memory_copy_init();
    for (int i = 0; i < number; i++) {
        keys[i] = load(argv[i + 2]);
        check(sign_and_verify(keys[i]), "signs with key %d", i);
        check(sign_and_verify(keys[i]), "signs with key %d once more", i);
    }
    count = meanwhile ? copy_meanwhile(argv[1]) : memory_copy(argv[1]);
    for (int i = 0; i < number; i++)
        check(sign_and_verify(keys[i]), "signs with key %d afterwards", i);
    for (int i = 0; i < number; i++)
        EVP_PKEY_free(keys[i]);
    printf("read %zu refused %zu\n", count.copied, count.refused);
    return finish();
}
