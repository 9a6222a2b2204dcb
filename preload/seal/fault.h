/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handler of last resort for SIGSEGV: an access to sealed memory while it is closed. The
 * program's own handler gets all other faults.
 */
#ifndef PRELOAD_SEAL_FAULT_H
#define PRELOAD_SEAL_FAULT_H

#include <signal.h>
#include <stdbool.h>

/* Called once. Returns false if the handler cannot be installed. */
bool fault_begin(void);

/* In place of the program's sigaction(2) and signal(2). Other signals are passed on. */
int fault_sigaction(int number, const struct sigaction *action, struct sigaction *old);
sighandler_t fault_signal(int number, sighandler_t handler);

#endif
