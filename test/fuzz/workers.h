/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that do steps for an input: by turns, or each its own at once. */
#ifndef FUZZ_WORKERS_H
#define FUZZ_WORKERS_H

#include "blocks.h"

enum { WORKERS = 2 }; /* their numbers are 1 and 2; 0 is the main thread */

enum step_kind { STEP_MALLOC, STEP_CALLOC, STEP_ALIGNED, STEP_REALLOC, STEP_FREE, STEP_KINDS };

struct step {
    enum step_kind kind;
    unsigned number; /* of the block */
    size_t size;
    struct request request;
};

void workers_begin(void);

/* Does a step in a thread, and waits for it. */
void workers_do(unsigned thread, const struct step *step);

/* Lets both workers do a random mix, each with the blocks that are its own (number % 3). */
void workers_start(unsigned seed);
void workers_wait(void);

/* The same mix, in this thread */
void workers_mix(unsigned thread, unsigned seed);

/* Ends a worker and begins another: its caches go back. */
void workers_renew(unsigned thread);

#endif
