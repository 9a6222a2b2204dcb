/* SPDX-License-Identifier: Apache-2.0 */
/* Holds a secret and dies or waits, for core dumps and scans.
 *
 *   holder abort|wait|freed SEED
 *
 * The secret is made in place from the seed: no other copy of it exists. `freed` has freed it.
 * Says where it is.
 */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { SIZE = 64 };

int main(int argc, char **argv)
{
    char word, said[64];

    if (argc != 3) {
        fprintf(stderr, "usage: %s abort|wait|freed SEED\n", argv[0]);
        return 2;
    }
    void *secret = filled_block(SIZE, strtoull(argv[2], NULL, 0));
    if (strcmp(argv[1], "freed") == 0)
        OPENSSL_free(secret);
    snprintf(said, sizeof(said), "ready %p\n", secret);
    if (write(STDOUT_FILENO, said, strlen(said)) < 0)
        return 2;
    if (strcmp(argv[1], "abort") == 0)
        abort();
    return read(STDIN_FILENO, &word, 1) == 1 ? 0 : 1;
}
