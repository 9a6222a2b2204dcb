/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls of ours a seccomp filter would answer by killing the process.
 *
 * A filter that was there at exec cannot be read: the calls are tried in a child process
 * that may die of them. One that the process installs later is run here, on the calls in
 * question, before it takes effect.
 */
#ifndef SM_OS_SECCOMP_H
#define SM_OS_SECCOMP_H

#include "os/seccomp_calls.h"

/* At start: under a filter already, finds out what it kills for. */
void sm_seccomp_probe(void);

struct sock_fprog;

/*
 * Whether a filter that the program hands over can be read at all. One that cannot is refused
 * by the kernel, with EFAULT, and must not be looked at here.
 */
bool sm_seccomp_readable(const struct sock_fprog *program);

/* What a filter that is about to be installed kills for, as bits. NULL: strict mode. */
uint32_t sm_seccomp_evaluate(const struct sock_fprog *program);

#endif
