/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of external ranges: secret pages under memory that another allocator manages
 * (external_pages.h, external_fork.c).
 */
#ifndef SM_FORK_EXTERNAL_RANGES_H
#define SM_FORK_EXTERNAL_RANGES_H

#include "base/common.h"
#include "os/futex_lock.h"

#define SM_EXTERNAL_RANGES 4096

struct sm_external_range {
    char *address; /* NULL: none */
    size_t length;
    char *copy;    /* where a child's copy is made */
    bool locked;   /* locked memory: this child had no secret memory for the range */
    bool parental; /* the program wants no child to have the range */
    bool mlocked;  /* the program locked it: counted as such */
};

extern SM_LOCAL struct sm_external_range sm_external_ranges[SM_EXTERNAL_RANGES];

/* Entries from here on were never used. Only grows. */
extern SM_LOCAL unsigned sm_external_used;

/* Held inside the allocator, so never at a fork. The functions below are called with it. */
extern SM_LOCAL struct sm_lock sm_external_lock;

/* Adds a range, or a copy of one. Returns NULL if the table is full. */
struct sm_external_range *sm_external_add(const struct sm_external_range *range);

void sm_external_drop(struct sm_external_range *range);

/*
 * Drops the part of a range between from and to, and keeps what lies before and behind it. If
 * the table is full, what lies behind is dropped too, which is reported.
 */
void sm_external_cut(struct sm_external_range *range, const char *from, const char *to);

/*
 * Returns true if a range has bytes between from and to. Takes no lock, because a fork may hold
 * it while it waits for the caller.
 */
bool sm_external_has(const struct sm_external_range *range, const char *from, const char *to);

#endif
