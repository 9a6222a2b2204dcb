/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fork window: what the forking thread may do in the program's own atfork handlers between
 * this library's handlers, because libsecretmem's handlers are not always the innermost. The
 * design is in docs/fork.md.
 */
#ifndef SM_ARENA_FORK_WINDOW_H
#define SM_ARENA_FORK_WINDOW_H

#include "base/common.h"

/*
 * Opens the window for the calling thread, once the gate is closed. empty: there is nothing for
 * a child to copy, and no arena may be created until the window closes.
 */
void sm_window_open(bool empty);

/*
 * Closes the window: in the parent when the child has its copy, in the child when the copy is
 * in place.
 */
void sm_window_close(void);

/* Whether the calling thread is in its own window and so passes the gate. */
bool sm_window_is_mine(void);

/* Whether the calling thread is in its own window, in which no arena may be created. */
bool sm_window_is_empty(void);

/* Blocks of one allocator. It lies in ordinary memory, so that each process has its own. */
struct sm_window_queue {
    void *blocks[1024];
    unsigned count;
};

/*
 * Keeps a block that is freed in the window for later, because a child may be about to copy it.
 * Returns false if this thread is in no window; the caller then frees the block now.
 */
bool sm_window_defer(struct sm_window_queue *queue, void *p);

/*
 * Called after the window is closed. Returns a deferred block, in the parent and in the child
 * each, or NULL if there is none.
 */
void *sm_window_take_deferred(struct sm_window_queue *queue);

/*
 * Set by fork.c. In a child whose own atfork handler has not run yet, does the handler's work.
 * Returns false if this process is no child of an announced fork.
 */
extern SM_LOCAL bool (*sm_window_catch_up)(void);

#endif
