/* SPDX-License-Identifier: Apache-2.0 */
#include "bug.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#ifdef OVER_OPENSSL
#include <openssl/crypto.h>
/* A file of no list: key material */
#define HERE "crypto/bug.c", __LINE__
#else
#include <secretmem.h>
#endif

bool wrong;
size_t size = 100;
long place;

void expect(const void *address)
{
    printf("expect %p\n", address);
    fflush(stdout);
}

void poke(void *address, int value)
{
    *(volatile char *)address = (char)value;
}

void *take(size_t bytes)
{
#ifdef OVER_OPENSSL
    void *block = CRYPTO_malloc(bytes, HERE);
#else
    void *block = secretmem_malloc(bytes);
#endif
    if (!block) {
        perror("no memory");
        exit(2);
    }
    return block;
}

void *resize(void *block, size_t bytes)
{
#ifdef OVER_OPENSSL
    return CRYPTO_realloc(block, bytes, HERE);
#else
    return secretmem_realloc(block, bytes);
#endif
}

void give(void *block)
{
#ifdef OVER_OPENSSL
    CRYPTO_free(block, HERE);
#else
    secretmem_free(block);
#endif
}

#ifndef OVER_OPENSSL
size_t usable(const void *block)
{
    return secretmem_usable_size(block);
}
#endif

void churn(unsigned blocks, size_t bytes)
{
    void **all = calloc(blocks, sizeof(*all));

    if (!all)
        exit(2);
    for (unsigned i = 0; i < blocks; i++)
        all[i] = memset(take(bytes), 'c', bytes);
    for (unsigned i = 0; i < blocks; i++)
        give(all[i]);
    free(all);
}

int main(int argc, char **argv)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s bug|right [SIZE [PLACE]]\n", argv[0]);
        return 2;
    }
    wrong = strcmp(argv[1], "bug") == 0;
    if (argc > 2)
        size = strtoul(argv[2], NULL, 10);
    if (argc > 3)
        place = strtol(argv[3], NULL, 10);
    bug();
    puts("done");
    return 0;
}
