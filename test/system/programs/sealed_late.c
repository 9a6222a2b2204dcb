/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that uses protection keys itself, and loads libcrypto later.
 *
 *   sealed_late KEYS FILE     takes so many protection keys, then loads a private key from FILE
 */
#include "common.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef void *read_fn(FILE *, void **, void *, void *);
typedef void free_fn(void *);

int main(int argc, char **argv)
{
    unsigned char *own =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int wanted, key = -1;
    void *library, *private;
    read_fn *read_key;
    free_fn *free_key;
    FILE *file;

    if (argc != 3)
        broken("usage: sealed_late KEYS FILE");
    wanted = atoi(argv[1]);
    for (int i = 0; i < wanted; i++) {
        key = pkey_alloc(0, 0);
        check(key > 0, "the program gets key %d", i + 1);
    }
    if (own == MAP_FAILED || (key > 0 && pkey_mprotect(own, 4096, PROT_READ | PROT_WRITE, key)))
        broken("pkey_mprotect");
    library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
    *(void **)&read_key = library ? dlsym(library, "PEM_read_PrivateKey") : NULL;
    *(void **)&free_key = library ? dlsym(library, "EVP_PKEY_free") : NULL;
    file = fopen(argv[2], "r");
    if (!read_key || !free_key || !file)
        broken("libcrypto");
    private = read_key(file, NULL, NULL, NULL);
    check(private != NULL, "the private key is read");
    memset(own, 1, 4096);
    check(own[0] == 1, "the program's own memory with a key is accessible");
    free_key(private);
    fclose(file);
    return finish();
}
