/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when a thread touches secret memory that a hibernation wiped: a function of the
 * program is called, one line says why, and SIGBUS ends the process. See docs/hibernation.md.
 */
#ifndef SM_PROCESS_WIPE_HANDLER_H
#define SM_PROCESS_WIPE_HANDLER_H

#include "base/common.h"

/*
 * Installs the handler of SIGBUS, once, where the kernel can wipe secret memory. Called after
 * sm_seccomp_probe(). over: also over a handler of the program, which gets what is not for this
 * library. Returns 0, or a negative errno value: EOPNOTSUPP no kernel that wipes, EBUSY there
 * is a handler (without over), EPERM a filter forbids it.
 */
int sm_wipe_handler_begin(bool over);

/* The function that is called before the line is written; NULL: none. Thread-safe. */
typedef void sm_wipe_function(void *address, void *arg);
void sm_wipe_handler_call(sm_wipe_function *function, void *arg);

/*
 * Set by the layer above; NULL: there is none. Whether an address is secret memory of that
 * layer. Async-signal-safe.
 */
extern SM_LOCAL bool (*sm_wipe_owns)(const void *p);

#endif
