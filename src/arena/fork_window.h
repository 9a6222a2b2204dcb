/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the thread that forks may do in the program's own fork handlers, between ours: handlers
 * of libsecretmem are not always the innermost. The design is in docs/fork.md.
 */
#ifndef SM_ARENA_FORK_WINDOW_H
#define SM_ARENA_FORK_WINDOW_H

#include "base/common.h"

/*
 * Opens it, for the calling thread, once the gate is closed. empty: there is nothing that a
 * child would copy, and no arena may come into being until the window closes.
 */
void sm_window_open(bool empty);

/* Closes it. In the parent when the child has its copy, and in the child when that is in place.
 */
void sm_window_close(void);

/* Whether the calling thread is in its own window: it passes the gate. */
bool sm_window_is_mine(void);

/* The same, and an arena must not be made in it. */
bool sm_window_is_empty(void);

/*
 * Keeps a block that is freed in the window for later: a child may be about to copy it. False:
 * the caller frees it now, as this thread is in no window.
 */
bool sm_window_defer(void *p);

/* After the window is closed: a block that was kept, for the parent and for the child each.
 * NULL: none. */
void *sm_window_take_deferred(void);

/*
 * Set by fork.c: in a child whose own handler has not run yet, does what that would do. False:
 * this is no child of an announced fork.
 */
extern SM_LOCAL bool (*sm_window_catch_up)(void);

#endif
