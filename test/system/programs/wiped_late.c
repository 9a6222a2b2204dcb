/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that loads libcrypto late, and may have a handler of SIGBUS by then ("handler", or
 * "ignored"). Ends with 0 if the action of SIGBUS is what it was before.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>

static void ignore(int number)
{
    (void)number;
}

int main(int argc, char **argv)
{
    struct sigaction action;
    void *library;
    void *(*allocate)(size_t, const char *, int);

    if (argc > 1)
        signal(SIGBUS, argv[1][0] == 'i' ? SIG_IGN : ignore);
    library = dlopen("libcrypto.so.3", RTLD_NOW);
    allocate =
        library ? (void *(*)(size_t, const char *, int))dlsym(library, "CRYPTO_malloc") : NULL;
    if (!allocate || !allocate(100, "x.c", 1))
        return 2;
    sigaction(SIGBUS, NULL, &action);
    if (argc == 1)
        return action.sa_handler != SIG_DFL;
    return action.sa_handler != (argv[1][0] == 'i' ? SIG_IGN : ignore);
}
