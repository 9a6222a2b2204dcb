/* SPDX-License-Identifier: Apache-2.0 */
/* Holds blocks of OpenSSL's, makes itself hard to look at, and waits to be killed.
 *
 *   seclude plain|closed|user|chroot|fork|raw_fork|leaderless NAME BLOCKS
 *   seclude refused NAME BLOCKS
 *   seclude numbers|renounce NAME BLOCKS
 *
 * refused asks for them and takes no answer. The latter hold numbers instead, most of them made
 * after renounce gave up root, and have a child that was forked at the end. It has done so when
 * its name (comm) is NAME. Children are called NAME too. */
#include "common.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/bn.h>

enum { SIZE = 1000, USER = 64017 };

static const char *name;

/* Most are not to be had. */
static void ask(int blocks)
{
    for (int i = 0; i < blocks; i++)
        OPENSSL_malloc(SIZE);
}

static void hold(int blocks)
{
    for (int i = 0; i < blocks; i++)
        filled_block(SIZE, (uint64_t)i);
}

/* Their words are plain key bytes. */
static void hold_numbers(int count)
{
    for (int i = 0; i < count; i++) {
        BIGNUM *number = BN_new();
        if (!number || !BN_set_bit(number, 8 * SIZE - 1))
            broken("BN_set_bit");
    }
}

static void give_up_root(void)
{
    if (setgroups(0, NULL) != 0 || setgid(USER) != 0 || setuid(USER) != 0)
        broken("setuid");
}

static void wait_for_the_end(void)
{
    if (prctl(PR_SET_NAME, name) != 0)
        broken("prctl");
    for (;;)
        pause();
}

static void child(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    hold(10);
    wait_for_the_end();
}

static void *outlive(void *unused)
{
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

/* Threads go on when the first one has ended. */
static void leave_threads(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, outlive, NULL) != 0 || prctl(PR_SET_NAME, name) != 0)
        broken("pthread_create");
    pthread_exit(NULL);
}

static void seclude(const char *how)
{
    if (strcmp(how, "closed") == 0) {
        closefrom(0);
    } else if (strcmp(how, "user") == 0) {
        give_up_root();
    } else if (strcmp(how, "chroot") == 0) {
        if ((mkdir("empty", 0755) != 0 && errno != EEXIST) || chroot("empty") != 0 ||
            chdir("/") != 0)
            broken("chroot");
    } else if (strcmp(how, "fork") == 0) {
        for (int i = 0; i < 2; i++) {
            if (fork() == 0)
                child();
        }
    } else if (strcmp(how, "leaderless") == 0) {
        leave_threads();
    } else if (strcmp(how, "raw_fork") == 0) {
        if (_Fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            wait_for_the_end();
        }
    }
}

static void numbers(int blocks, bool renounce)
{
    hold_numbers(blocks / 4);
    if (renounce)
        give_up_root();
    hold_numbers(blocks - blocks / 4);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        wait_for_the_end();
    }
    wait_for_the_end();
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s CASE NAME BLOCKS\n", argv[0]);
        return 2;
    }
    name = argv[2];
    if (strcmp(argv[1], "numbers") == 0 || strcmp(argv[1], "renounce") == 0)
        numbers(atoi(argv[3]), argv[1][0] == 'r');
    if (strcmp(argv[1], "refused") == 0)
        ask(atoi(argv[3]));
    else
        hold(atoi(argv[3]));
    seclude(argv[1]);
    wait_for_the_end();
}
