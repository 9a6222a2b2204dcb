/* SPDX-License-Identifier: Apache-2.0 */
#include "secret/stack.h"

#include <stddef.h>
#include <ucontext.h>

#include "secretmem.h"

/* Several times the stack that the deepest of libcrypto's decoders takes. */
enum { STACK_SIZE = 256 * 1024, STACK_ALIGNMENT = 4096 };

static struct {
    ucontext_t caller, callee;
    int (*work)(void *);
    void *argument;
    int result;
} call;

static void enter(void)
{
    call.result = call.work(call.argument);
}

int secret_stack_call(int (*work)(void *), void *argument)
{
    if (!SECRET_STACK)
        return work(argument);

    void *stack = secretmem_aligned_alloc(STACK_ALIGNMENT, STACK_SIZE);
    int result = -1;

    if (stack == NULL)
        return -1;
    call.work = work;
    call.argument = argument;
    if (getcontext(&call.callee) == 0) {
        call.callee.uc_stack.ss_sp = stack;
        call.callee.uc_stack.ss_size = STACK_SIZE;
        call.callee.uc_link = &call.caller;
        makecontext(&call.callee, enter, 0);
        if (swapcontext(&call.caller, &call.callee) == 0)
            result = call.result;
    }
    secretmem_free(stack);
    return result;
}
