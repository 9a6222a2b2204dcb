/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/fork_window.h"
#include "log/lapse.h"

#define DEFERRED 1024

bool (*sm_window_catch_up)(void);

/* This thread forks, and the gate is closed for all other threads. */
static __thread bool mine __attribute__((tls_model("initial-exec")));

static bool nothing_to_copy;
static void *deferred[DEFERRED]; /* in ordinary memory, so each process has its own */
static unsigned deferred_count;

void sm_window_open(bool empty)
{
    nothing_to_copy = empty;
    mine = true;
}

void sm_window_close(void)
{
    mine = false;
}

bool sm_window_is_mine(void)
{
    return mine;
}

bool sm_window_is_empty(void)
{
    return mine && nothing_to_copy;
}

bool sm_window_defer(void *p)
{
    if (!mine)
        return false;
    if (deferred_count < DEFERRED)
        deferred[deferred_count++] = p;
    else
        sm_lapse(SM_LAPSE_DEFERRED,
                 "more than %d blocks were freed in fork handlers: the others stay allocated; "
                 "free them before the fork",
                 DEFERRED);
    return true;
}

void *sm_window_take_deferred(void)
{
    return deferred_count ? deferred[--deferred_count] : NULL;
}
