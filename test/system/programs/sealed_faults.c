/* SPDX-License-Identifier: Apache-2.0 */
/* What happens at a fault: of a function that is not listed, of others, and the program's own.
 */
#include "common.h"
#include "sealed.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

#include <openssl/crypto.h>

/* What libcrypto does for others is not listed: the handler opens, and says so. */
void case_unlisted(void)
{
    unsigned char byte = 0;

    CRYPTO_memcmp((const void *)target, &byte, 1);
    check(can_read(), "an unlisted function of libcrypto opens");
    OPENSSL_free(OPENSSL_malloc(1));
    check_closed("after the next call of OPENSSL_malloc");
    CRYPTO_memcmp((const void *)target, &byte, 1);
    check(signs(known), "the key signs");
    check_closed("after the next window");
}

static volatile sig_atomic_t code, at_null;
static sigjmp_buf skip;

static void tell(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    code = info->si_code;
    at_null = info->si_addr == NULL;
    siglongjmp(skip, 1);
}

void case_handlers(void)
{
    struct sigaction mine = {.sa_sigaction = tell, .sa_flags = SA_SIGINFO}, old;

    check(sigaction(SIGSEGV, &mine, &old) == 0 && old.sa_handler == on_fault,
          "sigaction() tells of the program's own handler");
    check(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_sigaction == tell,
          "and of the next one");
    if (sigsetjmp(skip, 1) == 0)
        *(volatile int *)NULL = 0;
    check(code == SEGV_MAPERR && at_null, "the program's handler gets its own faults");
    check(signal(SIGSEGV, on_fault) == (sighandler_t)(void *)tell, "signal() tells of it too");
    check_closed("with the handler of before");
}

/* A fault of the program's own, with the default action */
void case_default(void)
{
    signal(SIGSEGV, SIG_DFL);
    *(volatile int *)NULL = 0;
}

/* Somebody reads a key, in a program without a handler. */
void case_ends(void)
{
    signal(SIGSEGV, SIG_DFL);
    (void)*target;
    puts("survived");
}
