/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wiped CASE: secret memory that the kernel has wiped, as after a hibernation: a file of length
 * 0 is in the place of a page with a block of OpenSSL. Ends as the case says, with 9 if it
 * could touch what is wiped.
 */
#include "common.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void *block;

static void *empty_file(void *address)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *at = (void *)((uintptr_t)address & ~(uintptr_t)(page - 1)), *p;
    int fd = memfd_create("wiped", MFD_CLOEXEC);

    p = mmap(at, page, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);
    if (fd < 0 || p == MAP_FAILED)
        broken("mmap");
    return p;
}

static void touch(const void *p)
{
    (void)*(const volatile char *)p;
}

static void case_touch(void)
{
    empty_file(block);
    touch(block);
}

static void *touch_block(void *arg)
{
    touch(block);
    return arg;
}

static void case_threads(void)
{
    pthread_t thread;

    empty_file(block);
    for (int i = 0; i < 7; i++)
        pthread_create(&thread, NULL, touch_block, NULL);
    touch(block);
}

/* libcrypto itself is the one who touches. */
static void case_free(void)
{
    empty_file(block);
    OPENSSL_cleanse(block, 100);
}

static void end_with_3(int number)
{
    (void)number;
    _exit(3);
}

static void case_own(void)
{
    signal(SIGBUS, end_with_3);
    case_touch();
}

static void case_file(void)
{
    touch(empty_file(NULL));
}

static void case_sent(void)
{
    empty_file(block);
    kill(getpid(), SIGBUS);
}

static void case_fork(void)
{
    int status;
    pid_t child;

    empty_file(block);
    child = fork();
    if (child == 0)
        _exit(0);
    if (waitpid(child, &status, 0) != child)
        _exit(5);
    _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS ? 4 : 5);
}

/* A child has its own copy, and its own end. */
static void case_child(void)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        case_touch();
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
        WTERMSIG(status) != SIGBUS)
        _exit(5);
    touch(block);
    _exit(0);
}

int main(int argc, char **argv)
{
    const struct test_case cases[] = {
        {"touch", case_touch}, {"threads", case_threads}, {"cleanse", case_free},
        {"own", case_own},     {"file", case_file},       {"sent", case_sent},
        {"fork", case_fork},   {"child", case_child},     {NULL, NULL},
    };

    block = OPENSSL_malloc(100);
    if (!block)
        broken("OPENSSL_malloc");
    memset(block, 1, 100);
    for (const struct test_case *c = cases; c->name && argc == 2; c++) {
        if (strcmp(c->name, argv[1]) == 0) {
            c->run();
            _exit(9);
        }
    }
    return 2;
}
