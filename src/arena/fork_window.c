/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/fork_window.h"
#include "log/lapse.h"

enum {
    DEFERRED = sizeof(((struct sm_window_queue *)0)->blocks) / sizeof(void *),
};

bool (*sm_window_catch_up)(void);

/* This thread forks, and the gate is closed for all other threads. */
static __thread bool mine __attribute__((tls_model("initial-exec")));

static bool nothing_to_copy;

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

bool sm_window_defer(struct sm_window_queue *queue, void *p)
{
    if (!mine)
        return false;
    if (queue->count < DEFERRED)
        queue->blocks[queue->count++] = p;
    else
        sm_lapse(SM_LAPSE_DEFERRED,
                 "more than %d blocks were freed in fork handlers: the others stay allocated; "
                 "free them before the fork",
                 DEFERRED);
    return true;
}

void *sm_window_take_deferred(struct sm_window_queue *queue)
{
    return queue->count ? queue->blocks[--queue->count] : NULL;
}
