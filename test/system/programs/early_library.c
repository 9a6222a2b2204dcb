/* SPDX-License-Identifier: Apache-2.0 */
/* A library that uses OpenSSL in its constructor, before any of the program's own code. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

extern void *early_block(void);
extern const void *early_key(void);

static void *block;
static EVP_PKEY *key;

__attribute__((constructor)) static void use_openssl(void)
{
    block = OPENSSL_malloc(1000);
    if (block)
        memset(block, 1, 1000);
    key = EVP_EC_gen("P-256");
}

void *early_block(void)
{
    return block;
}

const void *early_key(void)
{
    return key;
}
