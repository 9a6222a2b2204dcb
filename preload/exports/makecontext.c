/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes makecontext(), by which libcrypto begins an ASYNC job. The stack of a job must not
 * be secret memory (hooks/job_stack.h). A libcrypto that names its files is answered with
 * ordinary memory at once. The stack of one that does not (OPENSSL_NO_FILENAMES) is known when
 * it becomes one: it is replaced here, before anything is written to it. libcrypto frees the
 * stack that it finds in the context. Without memory for another stack, the job keeps its own.
 * A stack that the program has locked is not to be secret either.
 */
#include "arena/arena.h"
#include "base/common.h"
#include "exports/mmap.h"
#include "heap/fallback.h"
#include "hooks/job_stack.h"
#include "hooks/mem_hooks.h"
#include "hooks/partition.h"
#include "libcrypto/registry.h"
#include "loader/real.h"
#include "loader/tail_call.h"
#include <ucontext.h>

/* Called by the assembly below. */
SM_FROM_ASM struct interposed preload_makecontext(ucontext_t *context, void (*function)(void),
                                                  long count, const void *caller);

/* As makecontext(3). */
struct interposed preload_makecontext(ucontext_t *context, void (*function)(void), long count,
                                      const void *caller)
{
    void *stack = context->uc_stack.ss_sp, *other = NULL;

    (void)function, (void)count;
    locked_is_stack(stack, context->uc_stack.ss_size, "makecontext");
    if (sm_unlikely(partition_nameless) && sm_arena_owns(stack) && libcrypto_contains(caller))
        other = job_stack(&sm_own_library, context->uc_stack.ss_size);
    if (other) {
        context->uc_stack.ss_sp = other;
        hook_free(stack, NULL, 0);
    }
    return (struct interposed){NULL, real_function(REAL_makecontext)};
}

INTERPOSE_OR_TAIL_CALL(makecontext);
