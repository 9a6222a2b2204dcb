/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper process: shares this process's memory, but has a descriptor table of its own.
 *
 * What needs a descriptor for a moment (memfd_secret, a log file) is done there, so that it
 * works with no free slot, leaks nothing into a child that another thread forks at that
 * moment, and cannot be closed or replaced by another thread that closes everything.
 */
#ifndef SM_OS_HELPER_PROCESS_H
#define SM_OS_HELPER_PROCESS_H

#include "base/common.h"

/*
 * Runs fn(arg) in a helper, or here where no helper can be had or none is needed. Keeps
 * errno. The caller holds no lock that fn takes.
 */
void sm_helper_run(void (*fn)(void *), void *arg);

/* In fn: whether it runs in a helper, whose limits are its own. */
bool sm_helper_here(void);

/* In fn, after EMFILE: makes a slot free. False where that cannot be (not in a helper). */
bool sm_helper_free_a_slot(void);

/* The same in a helper even if this process has one thread only. False: no helper. */
bool sm_helper_force(void (*fn)(void *), void *arg);

/* In a new process: its only thread needs no helper until this is called again with false. */
void sm_helper_alone(bool alone);

#endif
