/* SPDX-License-Identifier: Apache-2.0 */
/* A child's own copy of the secrets. The design is in docs/fork.md. */
#ifndef SM_FORK_FORK_H
#define SM_FORK_FORK_H

#include "arena/arena.h"

/*
 * Registers the handlers, before anybody else's if it is called first; before sm_heap_start()
 * they do nothing. Safe to call again.
 */
void sm_fork_init(void);

/* At start, when it is known what a filter forbids: what the first fork needs is had now. */
void sm_fork_start(void);

/*
 * The same for a fork that runs no handlers, a system call of the program's own: before it, and
 * after it in both processes with its result, 0 in the child or a negative errno value. Keeps
 * errno.
 */
void sm_fork_begin(void);
void sm_fork_end(long result);

/*
 * Between these no other thread forks, and none starts the allocator or hooks a libcrypto.
 * mask: signals wait meanwhile, where no filter forbids that. Not recursive, and not inside the
 * allocator; a fork of the thread that holds it is one that nobody announced.
 */
void sm_fork_hold(bool mask);
void sm_fork_release(void);
void sm_fork_release_in_child(void);

/* Whether this thread does: what it calls meanwhile must not wait for itself. */
bool sm_fork_holds(void);

/* fork_copy.c: the copy itself, in the child, while the parent waits. */
struct sm_fork_copy {
    char *temp[SM_PARTS];        /* where a partition's copy is being made; NULL: none */
    volatile uint32_t *progress; /* counts pages, for the parent to see */
    bool threads;                /* the parent has others that may write meanwhile */
    bool deny;                   /* SECRETSSL_FORK=deny */
    uint64_t pages;              /* out */
};

/* Whether there are secret pages, which a child would share. */
bool sm_fork_has_secrets(void);

/* Makes the copy beside the arena. NULL, or why there is none. */
const char *sm_fork_copy_make(struct sm_fork_copy *copy);

/* Puts it in the arena's place. The parent need not wait any more. */
const char *sm_fork_copy_place(struct sm_fork_copy *copy);

/* SECRETSSL_FORK=deny: a partition's places stay taken, and a touch is SIGSEGV. */
bool sm_fork_withhold_keys(unsigned part);

/* fork_rebuild.c: in the child, after the copy is in place. What it counted is added. */
void sm_fork_rebuild(uint64_t *blocks, int64_t *bytes);

#endif
