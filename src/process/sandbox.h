/* SPDX-License-Identifier: Apache-2.0 */
/* The work before a seccomp filter takes effect. See docs/seccomp.md. */
#ifndef SM_PROCESS_SANDBOX_H
#define SM_PROCESS_SANDBOX_H

#include "base/common.h"

struct sock_fprog;

struct sm_seal {
    uint64_t killing; /* the calls that were forbidden before */
    bool fixed;
    bool foreign; /* nothing was recorded: this process does not own the arena */
};

/* Whether this process owns the arena. Returns true too where a filter forbids to ask. */
bool sm_sandbox_is_home(void);

/*
 * Called before the filter. If the filter would kill the process for mapping more secret
 * memory, maps now what may still be needed. program NULL: strict mode. Does nothing before
 * sm_heap_start().
 */
void sm_sandbox_prepare(struct sm_seal *seal, const struct sock_fprog *program);

/* Called after the filter. installed: whether the kernel accepted it. */
void sm_sandbox_confirm(const struct sm_seal *seal, bool installed);

/*
 * Called, after sm_heap_start(), before limits that forbid to map more memory, as a filter
 * would. Maps now what may still be needed.
 */
void sm_sandbox_reserve(void);

#endif
