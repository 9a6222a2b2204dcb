/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's ASYNC jobs run on stacks that libcrypto allocates: fork on one of them, and around
 * one that is paused.
 *
 *   async_job KIND forks|paused */
#include "common.h"

#include <string.h>
#include <unistd.h>

#include <openssl/async.h>
#include <openssl/crypto.h>

/* The stack is no secret memory, and no more dumped than that is. */
static void check_stack(const void *here)
{
    enum memory_kind kind = kind_of(here);

    check(kind == (expected == MEMORY_SECRET ? MEMORY_UNDUMPABLE : MEMORY_ORDINARY),
          "the stack of a job is %s", kind_name(kind));
}

static int forking(void *none)
{
    volatile int mine = 7;
    char *block = filled_block(1000, 1);

    (void)none;
    check_stack((const void *)&mine);
    check_kind(block, "a block");
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            mine = 8;
            fill(block, 1000, 2);
            _exit(mine == 8 && whole(block, 1000, 2) ? 42 : 1);
        }
        if (status_of(child) != 42 || mine != 7)
            check(false, "fork %d, mine is %d", i, mine);
    }
    check(whole(block, 1000, 1), "the parent has its own block");
    OPENSSL_free(block);
    return 5;
}

static int pausing(void *none)
{
    volatile int mine = 7;

    (void)none;
    ASYNC_pause_job();
    return ++mine;
}

static int resumed(ASYNC_JOB *job, ASYNC_WAIT_CTX *context, int (*function)(void *))
{
    int result = 0;

    return ASYNC_start_job(&job, context, &result, function, NULL, 0) == ASYNC_FINISH ? result
                                                                                      : -1;
}

static void forks(void)
{
    ASYNC_WAIT_CTX *context = ASYNC_WAIT_CTX_new();

    check(resumed(NULL, context, forking) == 5, "the job ends");
    ASYNC_WAIT_CTX_free(context);
}

/* Parent and child each bring the same job to its end. */
static void paused(void)
{
    ASYNC_WAIT_CTX *context = ASYNC_WAIT_CTX_new();
    ASYNC_JOB *job = NULL;
    int result = 0;
    pid_t child;

    check(ASYNC_start_job(&job, context, &result, pausing, NULL, 0) == ASYNC_PAUSE,
          "the job is paused");
    child = fork();
    if (child == 0)
        _exit(resumed(job, context, pausing) == 8 ? 42 : 1);
    check(status_of(child) == 42, "it ends in the child");
    check(resumed(job, context, pausing) == 8, "and in the parent");
    ASYNC_WAIT_CTX_free(context);
    ASYNC_cleanup_thread();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"forks", forks}, {"paused", paused}, {NULL, NULL}};

    return run_case(cases, argc, argv);
}
