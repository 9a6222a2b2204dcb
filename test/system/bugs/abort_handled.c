/* SPDX-License-Identifier: Apache-2.0 */
/* A double free in a program that has other plans for SIGABRT: PLACE 0 blocks it, 1 ignores
 * it, 2 handles it by jumping back. */
#include "bug.h"
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

static sigjmp_buf back;

static void jump(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

void bug(void)
{
    char *block = take(size);
    sigset_t set;

    expect(block);
    sigemptyset(&set);
    sigaddset(&set, SIGABRT);
    if (place == 0)
        sigprocmask(SIG_BLOCK, &set, NULL);
    else
        signal(SIGABRT, place == 1 ? SIG_IGN : jump);
    if (sigsetjmp(back, 1)) {
        puts("survived");
        return;
    }
    give(block);
    if (wrong)
        give(block);
}
