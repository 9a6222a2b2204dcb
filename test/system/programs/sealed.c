/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed keys: who can access them, and when.
 *
 *   sealed CASE KEY
 *
 * KEY is a private key in a PEM file with the passphrase "sealed". libcrypto asks for the
 * passphrase by a callback, in the middle of a window.
 */
#include "sealed.h"
#include "common.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <ucontext.h>
#include <unistd.h>

#include <openssl/async.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static const char passphrase[] = "sealed";
static const char *key_file;
EVP_PKEY *known; /* there are sealed pages once it is loaded */
static void (*in_window)(void);
static sigjmp_buf skip;

void on_fault(int number)
{
    (void)number;
    siglongjmp(skip, 1);
}

/* The first byte of memory with a protection key; NULL: there is none. */
static volatile unsigned char *sealed_byte(void)
{
    static char line[512];
    FILE *smaps = fopen("/proc/self/smaps", "r");
    uintptr_t start = 0, from, to, found = 0;
    int key;

    while (smaps && !found && fgets(line, sizeof(line), smaps)) {
        if (sscanf(line, "ProtectionKey: %d", &key) == 1)
            found = key > 0 ? start : 0;
        else if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            start = from;
    }
    if (smaps)
        fclose(smaps);
    return (volatile unsigned char *)found;
}

volatile unsigned char *target;

bool can_read(void)
{
    if (sigsetjmp(skip, 1) != 0)
        return false;
    (void)*target;
    return true;
}

static int ask(char *buffer, int size, int writes, void *arg)
{
    (void)size, (void)writes, (void)arg;
    memcpy(buffer, passphrase, sizeof(passphrase));
    if (in_window)
        in_window();
    return sizeof(passphrase) - 1;
}

static EVP_PKEY *load(void (*meanwhile)(void))
{
    FILE *file = fopen(key_file, "r");
    EVP_PKEY *key;

    if (!file)
        broken(key_file);
    in_window = meanwhile;
    key = PEM_read_PrivateKey(file, NULL, ask, NULL);
    in_window = NULL;
    fclose(file);
    return key;
}

bool signs(EVP_PKEY *key)
{
    unsigned char signature[1024];
    size_t length = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &length, (const unsigned char *)"x", 1) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

void check_closed(const char *where)
{
    check(!can_read(), "closed %s", where);
}

static void is_open(void)
{
    /* Not by can_read(): siglongjmp() would close it. */
    check((*target, true), "open in a callback of a window");
}

static void case_plain(void)
{
    int fds[2];

    check_closed("outside of a window");
    if (pipe(fds) != 0)
        broken("pipe");
    check(write(fds[1], (const void *)target, 1) == -1 && errno == EFAULT,
          "a system call gets EFAULT");
    EVP_PKEY_free(load(is_open));
    check_closed("after a window");
    check(signs(known), "the key still signs");
    check_closed("after it has signed");
}

static void handler_in_window(int number)
{
    (void)number;
    check_closed("in a signal handler");
}

static void raise_signal(void)
{
    signal(SIGUSR1, handler_in_window);
    raise(SIGUSR1);
    is_open();
}

static void case_signal(void)
{
    EVP_PKEY *key = load(raise_signal);

    check(key && signs(key), "the key is loaded, and signs");
    EVP_PKEY_free(key);
    check_closed("afterwards");
}

static jmp_buf out;

static void jump_out(void)
{
    longjmp(out, 1);
}

static void case_longjmp(void)
{
    if (setjmp(out) == 0)
        load(jump_out);
    check_closed("after longjmp out of a window");
    check(signs(known), "the key signs");
    check_closed("after it has signed");
}

static void *thread_reads(void *arg)
{
    check_closed(arg);
    return NULL;
}

static int thrd_reads(void *arg)
{
    check_closed(arg);
    return 0;
}

static void start_threads(void)
{
    pthread_t thread;
    thrd_t other;

    if (pthread_create(&thread, NULL, thread_reads, "in a thread of a window") != 0)
        broken("pthread_create");
    pthread_join(thread, NULL);
    if (thrd_create(&other, thrd_reads, "in a thread of a window (thrd_create)") !=
        thrd_success)
        broken("thrd_create");
    thrd_join(other, NULL);
    is_open();
}

static void case_thread(void)
{
    EVP_PKEY *key = load(start_threads);

    check(key && signs(key), "the key is loaded, and signs");
    EVP_PKEY_free(key);
}

static void cleanup_reads(void *arg)
{
    check_closed(arg);
}

static void cancel_self(void)
{
    pthread_cancel(pthread_self());
    pthread_testcancel();
}

static void exit_thread(void)
{
    pthread_exit(NULL);
}

static void *thread_ends(void *how)
{
    pthread_cleanup_push(cleanup_reads, "when a thread leaves a window by its end");
    load(how == NULL ? cancel_self : exit_thread);
    pthread_cleanup_pop(0);
    return NULL;
}

static void case_cancelled(void)
{
    pthread_t thread;

    for (int exits = 0; exits < 2; exits++) {
        if (pthread_create(&thread, NULL, thread_ends, exits ? &thread : NULL) != 0)
            broken("pthread_create");
        pthread_join(thread, NULL);
        check(signs(known), "another thread signs");
    }
}

static void fork_and_read(void)
{
    pid_t child = fork();

    if (child == 0) {
        check_closed("in a child of a window");
        check(signs(known), "the child signs");
        fflush(stdout);
        _exit(0);
    }
    check(status_of(child) == 0, "the child ends well");
    is_open();
}

static void case_fork(void)
{
    pid_t child = fork();
    EVP_PKEY *key;

    if (child == 0) {
        check(sealed_byte() == target, "the child's copy is sealed");
        check_closed("in a child");
        check(signs(known), "the child signs");
        EVP_PKEY_free(known);
        fflush(stdout);
        _exit(0);
    }
    check(status_of(child) == 0, "the child ends well");
    key = load(fork_and_read);
    check(key && signs(key), "the key is loaded, and signs");
    EVP_PKEY_free(key);
    check_closed("afterwards");
}

static void pause_job(void)
{
    is_open();
    ASYNC_pause_job();
    is_open();
}

static int job(void *arg)
{
    (void)arg;
    EVP_PKEY_free(load(pause_job));
    return 1;
}

static void case_async(void)
{
    ASYNC_WAIT_CTX *wait = ASYNC_WAIT_CTX_new();
    ASYNC_JOB *started = NULL;
    int result = 0;

    check(ASYNC_start_job(&started, wait, &result, job, NULL, 0) == ASYNC_PAUSE,
          "a job pauses in a window");
    check_closed("while it pauses");
    check(signs(known), "the key signs meanwhile");
    check(ASYNC_start_job(&started, wait, &result, job, NULL, 0) == ASYNC_FINISH && result == 1,
          "the job ends");
    check_closed("afterwards");
    ASYNC_WAIT_CTX_free(wait);
}

static ucontext_t main_context, other_context;

static void other_stack(void)
{
    check_closed("on another stack");
}

static void swap_stacks(void)
{
    swapcontext(&main_context, &other_context);
    is_open();
}

static void case_contexts(void)
{
    static char stack[1 << 18];

    getcontext(&other_context);
    other_context.uc_stack.ss_sp = stack;
    other_context.uc_stack.ss_size = sizeof(stack);
    other_context.uc_link = &main_context;
    makecontext(&other_context, other_stack, 0);
    EVP_PKEY_free(load(swap_stacks));
    check_closed("afterwards");
}

static const struct test_case cases[] = {
    {"plain", case_plain},
    {"signal", case_signal},
    {"longjmp", case_longjmp},
    {"thread", case_thread},
    {"cancelled", case_cancelled},
    {"fork", case_fork},
    {"async", case_async},
    {"contexts", case_contexts},
    {"unlisted", case_unlisted},
    {"handlers", case_handlers},
    {"default", case_default},
    {"ends", case_ends},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    const struct test_case *one = cases;

    if (argc != 3)
        broken("usage: sealed CASE KEY");
    setvbuf(stdout, NULL, _IONBF, 0);
    key_file = argv[2];
    signal(SIGSEGV, on_fault);
    known = load(NULL);
    target = sealed_byte();
    if (!known || !target)
        broken("a sealed key");
    while (one->name && strcmp(one->name, argv[1]) != 0)
        one++;
    if (!one->name)
        broken(argv[1]);
    one->run();
    return finish();
}
