/* SPDX-License-Identifier: Apache-2.0 */
/* A copy that the child makes, from the first look at the shared page to the last. */
#include "base/counters.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "fork/fork_shared.h"
#include "log/log.h"
#include "os/vector_registers.h"
#include <sys/single_threaded.h>

void sm_fork_copy_secrets(struct sm_fork_shared *shared)
{
    struct sm_fork_copy copy = {
        .progress = sm_fork_shared_progress(shared),
        .threads = !__libc_single_threaded,
        .deny = sm_settings.fork == SM_FORK_DENY,
    };
    const char *error = NULL;
    bool on_time = sm_fork_shared_begin(shared);

    if (on_time) {
        error = sm_fork_copy_make(&copy);
        if (error)
            sm_exit_refused("%s: this child ends", error);
        on_time = sm_fork_shared_done(shared);
    }
    /* The data that was read may have changed since. */
    if (!on_time)
        sm_exit_refused(
            "the parent did not wait for this child's copy of the secrets: this child ends");
    sm_fork_shared_end(shared);
    error = sm_fork_copy_place(&copy);
    if (error)
        sm_exit_refused("%s: this child ends", error);
    sm_stats.fork_pages = copy.pages;
    /*
     * Otherwise the next signal would write the bytes that the copy left in the registers to
     * this child's stack.
     */
    sm_clear_vector_registers();
}
