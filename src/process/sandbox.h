/* SPDX-License-Identifier: Apache-2.0 */
/* What must be done before a seccomp filter takes effect. See docs/seccomp.md. */
#ifndef SM_PROCESS_SANDBOX_H
#define SM_PROCESS_SANDBOX_H

#include "base/common.h"

struct sock_fprog;

struct sm_seal {
    uint32_t killing; /* what was forbidden before */
    bool fixed;
    bool foreign; /* nothing was noted: this is not the process that has the arena */
};

/* Whether this is that process. True too where a filter forbids to ask. */
bool sm_sandbox_is_home(void);

/*
 * Before the filter: if it would kill the process for asking for more secret memory, gets
 * what may still be needed now. program NULL: strict mode. Does nothing before
 * sm_heap_start().
 */
void sm_sandbox_prepare(struct sm_seal *seal, const struct sock_fprog *program);

/* After it: installed says whether the kernel took it. */
void sm_sandbox_confirm(const struct sm_seal *seal, bool installed);

/*
 * Before limits that forbid to map more, as a filter would: gets what may still be needed.
 * After sm_heap_start().
 */
void sm_sandbox_reserve(void);

#endif
