/* SPDX-License-Identifier: Apache-2.0 */
/* A program of somebody else's, in C. */
#include <secretmem.h>
#include <stdio.h>

int main(void)
{
    char *secret = secretmem_malloc(100);

    if (!secret) {
        perror("secretmem_malloc");
        return 1;
    }
    printf("contains %d\n", secretmem_contains(secret));
    printf("version %d.%d\n", SECRETMEM_VERSION_MAJOR, SECRETMEM_VERSION_MINOR);
    secretmem_free(secret);
    return 0;
}
