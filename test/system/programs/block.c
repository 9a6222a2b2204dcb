/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from common.c: programs that do not call this are not linked with libcrypto. */
#include "common.h"

#include <openssl/crypto.h>

void *filled_block(size_t size, uint64_t seed)
{
    void *block = OPENSSL_malloc(size);
    if (!block)
        broken("OPENSSL_malloc");
    fill(block, size, seed);
    return block;
}
