/* SPDX-License-Identifier: Apache-2.0 */
/* Does what the preload has probes for: probed forks|many|twice|lapse */
#include "common.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { SIZE = 1000, MANY = 1000, FORKS = 3 };

static void fork_children(void)
{
    if (!OPENSSL_malloc(SIZE))
        broken("OPENSSL_malloc");
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();

        if (child == 0)
            _exit(0);
        if (child < 0 || waitpid(child, NULL, 0) != child)
            broken("fork");
    }
}

static void *own_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *own_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(block, size);
}

static void own_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";

    if (strcmp(what, "forks") == 0) {
        fork_children();
    } else if (strcmp(what, "many") == 0) {
        for (int i = 0; i < MANY; i++)
            OPENSSL_malloc(SIZE);
    } else if (strcmp(what, "twice") == 0) {
        void *block = OPENSSL_malloc(SIZE);

        OPENSSL_free(block);
        OPENSSL_free(block);
    } else if (strcmp(what, "lapse") == 0) {
        CRYPTO_set_mem_functions(own_malloc, own_realloc, own_free);
    } else {
        broken("usage: probed forks|many|twice|lapse");
    }
    return 0;
}
