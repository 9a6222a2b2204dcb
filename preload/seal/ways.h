/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions by which a thread leaves a window, passes its rights on to another thread, or sets
 * the handler of SIGSEGV. They are replaced in the slots of all objects while keys are sealed.
 */
#ifndef PRELOAD_SEAL_WAYS_H
#define PRELOAD_SEAL_WAYS_H

#include "base/common.h"

/* Called once, before any slot changes. Finds the functions of the C library. */
void ways_begin(void);

/*
 * The functions of a libcrypto that switch between stacks, for one libcrypto: the first.
 * NULL: it has none.
 */
void ways_of_libcrypto(void *start_job, void *pause_job);

/*
 * Returns what replaces a function of this name and address, or NULL. function NULL: whatever
 * the name is bound to.
 */
void *ways_instead(const char *name, const void *function);

#endif
