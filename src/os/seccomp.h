/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the system calls of this library for which a seccomp filter would kill the process.
 *
 * A filter that was present at exec cannot be read, so the calls are tried in a child process
 * that may die of them. A filter that the process installs later is evaluated here, on the
 * calls in question, before it takes effect.
 */
#ifndef SM_OS_SECCOMP_H
#define SM_OS_SECCOMP_H

#include "os/seccomp_calls.h"
#include <linux/audit.h>

/* The architecture that filters see. */
#if defined(__x86_64__)
#define SM_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__riscv)
#define SM_AUDIT_ARCH AUDIT_ARCH_RISCV64
#else
#define SM_AUDIT_ARCH AUDIT_ARCH_AARCH64
#endif

/* Called at start. If a filter is active already, finds the calls it kills for. */
void sm_seccomp_probe(void);

struct sock_fprog;

/*
 * Whether a filter that the program passes can be read at all. The kernel refuses an unreadable
 * filter with EFAULT, and it must not be read here.
 */
bool sm_seccomp_readable(const struct sock_fprog *program);

/*
 * Returns, as bits, the calls that a filter about to be installed kills for. NULL: strict mode.
 */
uint64_t sm_seccomp_evaluate(const struct sock_fprog *program);

#endif
