/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of the C library's list of streams, which fork() itself takes. */
#ifndef SM_FORK_STREAM_LIST_H
#define SM_FORK_STREAM_LIST_H

#include "base/common.h"

/*
 * Takes the lock, which is recursive, unless the process has one thread or the C library does
 * not lock its streams. Returns whether it was taken.
 */
bool sm_stream_list_lock(void);

void sm_stream_list_unlock(void);

/* Releases the lock in a child, where its owner may not exist. */
void sm_stream_list_reset(void);

#endif
