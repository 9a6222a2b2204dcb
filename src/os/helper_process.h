/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper process: shares this process's memory, but has its own descriptor table.
 *
 * Code that needs a descriptor for a moment (memfd_secret, a log file) runs in a helper. So it
 * works without a free slot, leaks no descriptor into a child that another thread forks at that
 * moment, and no other thread that closes all descriptors can close or replace the descriptor.
 */
#ifndef SM_OS_HELPER_PROCESS_H
#define SM_OS_HELPER_PROCESS_H

#include "base/common.h"

/*
 * Runs fn(arg) in a helper, or in this process if no helper is available or needed. Keeps
 * errno. The caller holds no lock that fn takes.
 */
void sm_helper_run(void (*fn)(void *), void *arg);

/* Called in fn: whether fn runs in a helper, whose limits are its own. */
bool sm_helper_here(void);

/*
 * Called in fn, after EMFILE: frees a descriptor slot. Returns false where that is impossible
 * (not in a helper).
 */
bool sm_helper_free_a_slot(void);

/*
 * As sm_helper_run(), in a helper even if this process has only one thread. Returns false if
 * there is no helper.
 */
bool sm_helper_force(void (*fn)(void *), void *arg);

/*
 * alone: in a new process, whose only thread needs no helper until this function is called with
 * false.
 */
void sm_helper_alone(bool alone);

#endif
