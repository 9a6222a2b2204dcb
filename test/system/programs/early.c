/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with a library whose constructor uses OpenSSL, and using it itself before any
 * constructor: was it hooked already?
 *
 *   early KIND use
 *
 * `late` is the same with a library that insists on being first: nothing can come before it,
 * and only what follows is of that kind.
 *
 *   late KIND afterwards */
#include "common.h"

#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

extern void *early_block(void);
extern const EVP_PKEY *early_key(void);

static void *first_block;

static void before_constructors(int argc, char **argv, char **environment)
{
    (void)argc;
    (void)argv;
    (void)environment;
    first_block = OPENSSL_malloc(100);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const first)(int, char **, char **) = before_constructors;

static void use(void)
{
    check_kind(first_block, "a block taken before all constructors");
    check_kind(early_block(), "a block that the library's constructor took");
    check_kind(early_key(), "a key that it made");
    check_kind(filled_block(100, 1), "a block of the program");
    OPENSSL_free(early_block());
    pid_t child = fork();
    if (child == 0)
        _exit(OPENSSL_malloc(100) ? 0 : 1);
    check(status_of(child) == 0, "a child works");
}

static void afterwards(void)
{
    check(kind_of(early_block()) == MEMORY_ORDINARY && kind_of(first_block) == MEMORY_ORDINARY,
          "what the library's constructor took is ordinary memory");
    check_kind(filled_block(100, 1), "a block of the program");
    OPENSSL_free(early_block());
    OPENSSL_free(OPENSSL_realloc(first_block, 1000));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"use", use}, {"afterwards", afterwards}, {NULL, NULL}};
    return run_case(cases, argc, argv);
}
