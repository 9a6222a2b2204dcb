/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of OpenSSL's ASYNC jobs, which libcrypto allocates like anything else
 * (crypto/async/arch). They cannot be secret memory, which a child of fork shares with its
 * parent until it has its copy: both would run on the same stack. So they are as other stacks
 * are, ordinary memory; and left out of core dumps.
 */
#ifndef PRELOAD_HOOKS_JOB_STACK_H
#define PRELOAD_HOOKS_JOB_STACK_H

#include "base/common.h"

extern SM_LOCAL bool job_stacks; /* there was one */

/* Of the C library's; size is not 0. NULL: none. */
void *job_stack(size_t size);

/* The same for what another C library gave: as far as whole pages are in it */
void job_stack_hide(void *p, size_t size);

/* Before something that is not of the arena is freed: if it is one, it may be dumped again. */
void job_stack_end(const void *p);

#endif
