/* SPDX-License-Identifier: Apache-2.0 */
/* What the cases of leaks.c share. */
#ifndef TRACE_LEAKS_H
#define TRACE_LEAKS_H

#include "over.h"

/* Its call is to be found in the stacks. */
#define SEEN __attribute__((noinline))

enum { MANY = 64 };

#pragma GCC visibility push(hidden)

/* The blocks that are left, and how many: volatile, so that nothing is optimised away */
extern void *volatile kept[4 * MANY];
extern unsigned number;

SEEN void keep(void *block);

SEEN void three_of_100(void);
SEEN void one_of_5000(void);

/* one_of_5000() below so many calls more */
SEEN void below(int depth);

/* Sizes of every kind come, move and go. */
SEEN void come_and_go(void);

/* Cases, leaks_threads.c */
void threads(void);
void forked(void);
void fork_handlers(void);
void late(void);
void linker_lock(void);

/* Cases, leaks_stacks.c */
void full(void);
void places(void);
void reload(void);
void shorter_stack(void);

#pragma GCC visibility pop

#endif
