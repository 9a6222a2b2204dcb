/* SPDX-License-Identifier: Apache-2.0 */
/* Uses OpenSSL, confines itself with a filter that kills, and goes on using it.
 *
 *   sandbox KIND prctl|syscall|strict|thread|fork|untouched
 *
 * The filter allows what the C library's allocator and printing need. `strict` is the old mode
 * of four calls; `untouched` installs the filter before OpenSSL is used at all. Where the
 * blocks lie can only be seen from outside: "at ADDRESS..." is printed, and a line awaited. */
#include "common.h"
#include "filter.h"

#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

enum { COUNT = 128, SIZE = 8000, FREE_HEAP = 16 << 20 };

static void *blocks[COUNT];
static EVP_PKEY *key;

static const int calls[] = {
    SYS_read,
    SYS_write,
    SYS_exit,
    SYS_exit_group,
    /* Some builds close a device of random numbers at the end. */
    SYS_fstat,
    SYS_close,
    SYS_futex,
    SYS_mmap,
    SYS_munmap,
    SYS_brk,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_mremap,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_getpid,
    SYS_getrandom,
    /* What fork, wait and the end of a thread need; mprotect is for the heap of a thread. */
    SYS_clone,
    SYS_set_robust_list,
    SYS_wait4,
    SYS_gettid,
    SYS_rseq,
    SYS_madvise,
    SYS_mprotect,
};

static bool sign(void)
{
    unsigned char signature[256], text[100] = "text";
    size_t length = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &length, text, sizeof(text)) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static void make_key(void)
{
    key = EVP_EC_gen("P-256");
    check(key && sign(), "a signature before the filter");
}

static void confine(bool by_syscall)
{
    struct filter filter;
    long result;

    filter_all_but(&filter, calls, sizeof(calls) / sizeof(calls[0]));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        broken("prctl(PR_SET_NO_NEW_PRIVS)");
    if (by_syscall)
        result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
                         &filter.program);
    else
        result = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter.program);
    if (result != 0)
        broken("install the filter");
}

static void take_blocks(void)
{
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = filled_block(SIZE, i);
}

static bool all_whole(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (!whole(blocks[i], SIZE, i))
            return false;
    }
    return true;
}

/* Tells the driver where the blocks are; it looks, and says so. */
static void show(void)
{
    char line[100], word;
    int length = snprintf(line, sizeof(line), "at %p %p\n", blocks[0], blocks[COUNT - 1]);
    if (write(STDOUT_FILENO, line, (size_t)length) != length ||
        read(STDIN_FILENO, &word, 1) != 1)
        broken("write and read");
}

static void go_on(void)
{
    take_blocks();
    check(all_whole(), "a MiB of blocks below the filter");
    show();
    for (size_t i = 0; i < COUNT; i += 2) {
        OPENSSL_free(blocks[i]);
        blocks[i] = filled_block(SIZE, i);
    }
    check(all_whole(), "freed and taken again");
    if (key)
        check(sign(), "a signature below the filter");
}

static void by_prctl(void)
{
    make_key();
    confine(false);
    go_on();
}

static void by_syscall(void)
{
    make_key();
    confine(true);
    go_on();
}

static void untouched(void)
{
    confine(true);
    go_on();
}

static void strict(void)
{
    /* The C library's heap must not need a system call either. */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    void *volatile heap = malloc(FREE_HEAP);
    free(heap);
    make_key();
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        broken("prctl(PR_SET_SECCOMP)");
    take_blocks();
    check(all_whole(), "a MiB of blocks in strict mode");
    show();
    syscall(SYS_exit, finish());
}

static atomic_int stage;

static void *work_in_thread(void *unused)
{
    (void)unused;
    while (atomic_load(&stage) != 1)
        ;
    go_on();
    return NULL;
}

/* A thread that has not used OpenSSL before the filter is there. */
static void thread(void)
{
    pthread_t id;

    make_key();
    if (pthread_create(&id, NULL, work_in_thread, NULL) != 0)
        broken("pthread_create");
    confine(true);
    atomic_store(&stage, 1);
    pthread_join(id, NULL);
}

/* A child of a confined process has all of its parent's secrets, or says that it ends. */
static void fork_below(void)
{
    make_key();
    confine(true);
    go_on();
    pid_t child = fork();
    if (child == 0) {
        if (!all_whole())
            _exit(1);
        void *more = OPENSSL_malloc(1000);
        _exit(more && sign() ? 0 : 2);
    }
    int status = status_of(child);
    check(status == 0, "a child below the filter works (status %d)", status);
    check(all_whole() && sign(), "and its parent goes on");
    OPENSSL_free(filled_block(SIZE, 1));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"prctl", by_prctl}, {"syscall", by_syscall}, {"untouched", untouched},
        {"strict", strict},  {"thread", thread},      {"fork", fork_below},
        {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
