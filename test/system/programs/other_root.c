/* SPDX-License-Identifier: Apache-2.0 */
/* A misuse below another root: its report would like to load a library.
 *
 *   other_root DIRECTORY */
#include <openssl/crypto.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    void *volatile block = OPENSSL_malloc(1000);

    if (argc != 2 || chroot(argv[1]) != 0 || chdir("/") != 0) {
        perror("chroot");
        return 2;
    }
    OPENSSL_free(block);
    OPENSSL_free(block);
    return 1;
}
