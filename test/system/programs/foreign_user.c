/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with a libcrypto that is not protected, with one that is, or with none by name; it
 * frees what it got as it likes. */
#include <stddef.h>

void *CRYPTO_malloc(size_t size, const char *file, int line);
void *foreign_block(void);

void *foreign_block(void)
{
    void *volatile block = CRYPTO_malloc(32, __FILE__, __LINE__);

    return block;
}
