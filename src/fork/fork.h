/* SPDX-License-Identifier: Apache-2.0 */
/* A child's own copy of the secrets. The design is in docs/fork.md. */
#ifndef SM_FORK_FORK_H
#define SM_FORK_FORK_H

#include "arena/arena.h"

/*
 * Registers the atfork handlers, before any others if this function is called first. The
 * handlers do nothing before sm_heap_start(). Safe to call again.
 */
void sm_fork_init(void);

/*
 * Called at start, by a constructor that runs before all others: the handlers are innermost, so
 * nothing of the program runs between them and the clone.
 */
void sm_fork_innermost(void);

/*
 * Called at start, once it is known what a filter forbids. Acquires now what the first fork
 * needs.
 */
void sm_fork_start(void);

/*
 * The same work for a fork that runs no atfork handlers, such as a system call of the program:
 * called before the fork, and after it in both processes with its result (0 in the child, or a
 * negative errno value). Keeps errno.
 */
void sm_fork_begin(void);
void sm_fork_end(long result);

/*
 * Between hold and release, no other thread forks, starts the allocator or hooks a libcrypto.
 * mask: block signals meanwhile, where no filter forbids that. Not recursive. Not called inside
 * the allocator. A fork by the holding thread counts as unannounced.
 */
void sm_fork_hold(bool mask);
void sm_fork_release(void);
void sm_fork_release_in_child(void);

/*
 * Whether this thread holds the fork lock. Code that it calls meanwhile must not wait for that
 * lock.
 */
bool sm_fork_holds(void);

/*
 * Called before a fork: holds the lock and, once the heap has started, closes the gate, so that
 * all other threads are outside the allocator. by_libc: this is fork(), which locks the C
 * library's stream list. Returns whether this thread holds the lock of that list, too.
 */
bool sm_fork_stop_others(bool by_libc);

/*
 * Stops all threads outside the allocator, as a fork does, and lets them go on. Stopping
 * returns false, at once or soon, if another thread forks or stays inside. Not called inside
 * the allocator.
 */
bool sm_fork_stop_threads(void);
void sm_fork_let_threads_go(void);

/*
 * Set by the layer above; NULL: none. Called in the parent and in the child at the end of an
 * announced fork, when the child has its copy.
 */
extern SM_LOCAL void (*sm_fork_after)(bool child);

/* fork_copy.c makes the copy, in the child, while the parent waits. */
struct sm_fork_copy {
    char *temp[SM_PARTS];        /* where the copy of a partition is made; NULL: none */
    volatile uint32_t *progress; /* counts pages; the parent reads it */
    bool threads;                /* the parent has other threads, which may write meanwhile */
    bool deny;                   /* SECRETSSL_FORK=deny */
    uint64_t pages;              /* out: pages copied */
};

struct sm_fork_shared;

/*
 * fork_by_child.c: makes the copy, in the child, while the parent waits at the shared page, and
 * puts it in place. Ends the process, with a line, where there is no copy.
 */
void sm_fork_copy_secrets(struct sm_fork_shared *shared);

/* Whether there are secret pages, which a child would share. */
bool sm_fork_has_secrets(void);

/* Makes the copy beside the arena. Returns NULL, or the reason why there is no copy. */
const char *sm_fork_copy_make(struct sm_fork_copy *copy);

/* Moves the copy to the arena's place. The parent need not wait any more. Returns as above. */
const char *sm_fork_copy_place(struct sm_fork_copy *copy);

/*
 * For SECRETSSL_FORK=deny: keeps a partition's addresses occupied, so that an access is
 * SIGSEGV.
 */
bool sm_fork_withhold_keys(unsigned part);

/*
 * fork_rebuild.c, in the child, after the copy is in place. by_kernel: the kernel made the
 * copy, chunk by chunk. Adds the live blocks and bytes that it counted.
 */
void sm_fork_rebuild(bool by_kernel, uint64_t *blocks, int64_t *bytes);

#endif
