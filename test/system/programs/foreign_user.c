/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with a libcrypto that is not protected, with one that is, or with none by name; it
 * frees what it got as it likes. USER_EARLY: the block is of its constructor. */
#include <stddef.h>

void *CRYPTO_malloc(size_t size, const char *file, int line);
void *foreign_block(void);

#ifdef USER_EARLY
static void *early;

__attribute__((constructor)) static void take_early(void)
{
    void *volatile block = CRYPTO_malloc(32, __FILE__, __LINE__);

    early = block;
}

void *foreign_block(void)
{
    return early;
}
#else
void *foreign_block(void)
{
    void *volatile block = CRYPTO_malloc(32, __FILE__, __LINE__);

    return block;
}
#endif
