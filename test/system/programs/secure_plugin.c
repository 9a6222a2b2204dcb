/* SPDX-License-Identifier: Apache-2.0 */
/* A library that switches OpenSSL's secure heap on, and allocates in it. */
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

int plug(void);

/* Returns what CRYPTO_secure_malloc_init() did. */
int plug(void)
{
    int answer = CRYPTO_secure_malloc_init(65536, 16);
    BIGNUM *number = BN_secure_new();

    BN_rand(number, 512, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
    EVP_MD_CTX_free(EVP_MD_CTX_new());
    return answer;
}
