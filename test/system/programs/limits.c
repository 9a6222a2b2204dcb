/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox made of limits, as sshd's: no byte to any file, no new process. The checks go
 * through a pipe, stderr is a file.
 *
 *   limits KIND sandbox */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { BLOCKS = 64, LARGE = 64 };

static void limit(__rlimit_resource_t resource)
{
    static const struct rlimit none = {0, 0};

    if (setrlimit(resource, &none) != 0)
        broken("setrlimit");
}

static void sandbox(void)
{
    FILE *out = popen("cat", "w");
    char *blocks[BLOCKS];

    if (!out || dup2(fileno(out), STDOUT_FILENO) < 0)
        broken("popen");
    check_kind(filled_block(100, 1), "a block before");
    limit(RLIMIT_FSIZE);
    limit(RLIMIT_NPROC);
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = filled_block(4000, i);
    check_kind(blocks[0], "the first block");
    check_kind(blocks[BLOCKS - 1], "the last of 256 KiB");
    for (size_t i = 0; i < LARGE; i++) {
        char *large = filled_block(100000, i);
        if (!whole(large, 100000, i))
            check(false, "large block %zu", i);
    }
    check(true, "6 MB more, wherever they are");
    for (size_t i = 0; i < BLOCKS; i++)
        OPENSSL_free(blocks[i]);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {{"sandbox", sandbox}, {NULL, NULL}};
    return run_case(cases, argc, argv);
}
