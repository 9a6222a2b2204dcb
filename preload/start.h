/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the allocator: at the start of a program linked with libcrypto, otherwise when the
 * first libcrypto is loaded or allocates.
 */
#ifndef PRELOAD_START_H
#define PRELOAD_START_H

#include "base/common.h"

extern bool start_done;

bool start_late(void);

/*
 * Returns true if the arena serves allocations; starts it if needed. Returns false before the
 * preload's constructor, and in the thread that holds the start lock before the start is done.
 */
static inline bool start_ready(void)
{
    return sm_likely(__atomic_load_n(&start_done, __ATOMIC_ACQUIRE)) || start_late();
}

/* The start lock serialises starting and hooking. Forks and signals wait while it is held. */
void start_lock(void);
void start_unlock(void);

/* Called with the start lock held. Starts the allocator, once. */
void start_now(void);

/* Counts an allocation that went to the C library before the preload's constructor. */
void start_count_early(void);

/*
 * Called by the preload's constructor. Reads the settings. A wrong setting ends the process
 * when the allocator starts.
 */
void start_read_settings(char *const *envp);

/*
 * Called at the end of the constructor. From then on a libcrypto that is loaded or allocates
 * starts the allocator.
 */
void start_begun(void);

#endif
