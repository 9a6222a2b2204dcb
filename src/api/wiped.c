/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions for secret memory that a hibernation wiped: docs/hibernation.md. */
#include "arena/wiped.h"
#include "api/library.h"
#include "api/own_wiped.h"
#include "heap/thread_cache.h"
#include "os/seccomp_calls.h"
#include "process/wipe_handler.h"
#include "secretmem.h"
#include <errno.h>

/* Sets errno for a negative errno value. Returns -1, or the result. */
static int wiped_result(int result)
{
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

SM_EXPORT int secretmem_wiped(void)
{
    if (__atomic_load_n(&sm_wipe_known, __ATOMIC_RELAXED) != SM_WIPE_OFFERED ||
        sm_is_rawfork_child())
        return 0;
    if (sm_seccomp_forbids(SM_CALL_SIGPROCMASK))
        return wiped_result(-EPERM);
    return sm_arena_is_wiped() ? 1 : wiped_result(sm_own_wiped());
}

SM_EXPORT int secretmem_on_wipe(secretmem_wipe_function *function, void *arg)
{
    sm_library_use();
    /* First, so that it is there when the handler is. */
    sm_wipe_handler_call(function, arg);
    return wiped_result(sm_wipe_handler_begin(true));
}
