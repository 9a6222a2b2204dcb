/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts of makecontext(): those of a libcrypto that names no files, whose stacks look like
 * secrets when it allocates them, and the program's own.
 *
 *   contexts KIND job|own */
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK = 65536 };

static bool ran;

static void check_stack(const void *here)
{
    enum memory_kind kind = kind_of(here);

    check(kind == (expected == MEMORY_SECRET ? MEMORY_UNDUMPABLE : MEMORY_ORDINARY),
          "the stack of a job is %s", kind_name(kind));
}

/* A child of fork that shares the stack with its parent would change the parent's. */
static void forking(void)
{
    volatile int mine = 7;

    ran = true;
    check_stack((const void *)&mine);
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0) {
            mine = 8;
            _exit(mine == 8 ? 42 : 1);
        }
        if (status_of(child) != 42 || mine != 7)
            check(false, "fork %d, mine is %d", i, mine);
    }
}

static void job(void)
{
    void *handle = opened(beside("libfake_3.so"), RTLD_NOW);
    int (*run)(void (*)(void)) = (int (*)(void (*)(void)))symbol(handle, "fake_job");

    check_library(handle, "a block");
    for (int i = 0; i < 3; i++)
        check(run(forking) == 1 && ran, "job %d ends", i);
    check_library(handle, "a block after the jobs");
}

static int sum;

static void add(int a, int b, int c, int d, int e, int f, int g, int h)
{
    sum = a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;
}

/* On a stack from CRYPTO_malloc, which the program keeps in a variable of its own and frees. */
static void own(void)
{
    void *handle = opened(beside("libfake_3.so"), RTLD_NOW);
    malloc_fn *m = (malloc_fn *)symbol(handle, "CRYPTO_malloc");
    free_fn *f = (free_fn *)symbol(handle, "CRYPTO_free");
    void *stack = m(STACK, __FILE__, __LINE__);
    ucontext_t here, other;

    check(getcontext(&other) == 0, "a context");
    other.uc_stack.ss_sp = stack;
    other.uc_stack.ss_size = STACK;
    other.uc_link = &here;
    makecontext(&other, (void (*)(void))add, 8, 1, 2, 3, 4, 5, 6, 7, 8);
    check(other.uc_stack.ss_sp == stack, "it has the program's stack");
    check(swapcontext(&here, &other) == 0 && sum == 204, "all arguments arrive: %d", sum);
    f(stack, __FILE__, __LINE__);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {{"job", job}, {"own", own}, {NULL, NULL}};

    return run_case(cases, argc, argv);
}
