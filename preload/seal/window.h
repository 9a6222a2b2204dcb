/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window: sealed memory is open in a thread from a call of a listed function of libcrypto
 * until the function returns, or is left by an exception or the thread's cancellation. A call
 * in the middle of a window goes to libcrypto directly. See docs/sealing.md.
 */
#ifndef PRELOAD_SEAL_WINDOW_H
#define PRELOAD_SEAL_WINDOW_H

#include "base/common.h"

/*
 * Returns the stub that calls this function of libcrypto in a window, or NULL if there are too
 * many functions. frees: with a first argument of NULL the function does nothing. Called with
 * the start lock held.
 */
void *window_stub(void *function, bool frees);

/*
 * The stub of a function, or NULL if it has none. Takes no lock.
 */
void *window_stub_of(const void *function);

/*
 * Sealed memory is open in this thread from now on, without a window, for a function that is
 * not listed: until the next window ends, or the next call of window_way_out().
 * Async-signal-safe.
 */
void window_adopt(void);

/* Called on a way out of libcrypto, where this thread runs other code: closes what was adopted.
 */
void window_way_out(void);

/* Called before this thread leaves a window by a jump. */
void window_leave_by_jump(void);

#endif
