/* SPDX-License-Identifier: Apache-2.0 */
/* What is linked with a libcrypto that is not served. Read without a lock. */
#ifndef PRELOAD_USERS_H
#define PRELOAD_USERS_H

#include "common.h"

#define USERS_NONE UINT32_MAX

struct range {
    uintptr_t from, to;
};

static inline bool range_has(struct range range, const void *code)
{
    return (uintptr_t)code - range.from < range.to - range.from;
}

/* With the start lock: looks anew, notes each, and drops those that were not noted. */
void users_begin(void);
void users_note(struct range code, unsigned of);
void users_end(void);

/* The number that a caller was noted with; USERS_NONE: it was not. */
unsigned users_find(const void *caller);

#endif
