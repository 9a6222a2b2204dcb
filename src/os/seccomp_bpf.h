/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a seccomp filter on one system call, as the kernel would. */
#ifndef SM_OS_SECCOMP_BPF_H
#define SM_OS_SECCOMP_BPF_H

#include "base/common.h"
#include <linux/filter.h>
#include <linux/seccomp.h>

/* Returns true if the filter kills or traps for that call, or if the kernel would refuse it. */
bool sm_bpf_kills(const struct sock_fprog *program, const struct seccomp_data *data);

#endif
