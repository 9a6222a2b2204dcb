/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a seccomp filter on one system call, as the kernel would. */
#ifndef SM_OS_SECCOMP_BPF_H
#define SM_OS_SECCOMP_BPF_H

#include "base/common.h"
#include <linux/filter.h>
#include <linux/seccomp.h>

/* True if the filter kills or traps for that call, or is none that the kernel would take. */
bool sm_bpf_kills(const struct sock_fprog *program, const struct seccomp_data *data);

#endif
