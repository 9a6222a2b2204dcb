/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting: at the program's start if it is linked with libcrypto, else when the first
 * libcrypto arrives or allocates.
 */
#ifndef PRELOAD_START_H
#define PRELOAD_START_H

#include "base/common.h"

extern bool start_done;

bool start_late(void);

/* Whether allocations are served; starts if need be. False: before our own constructor. */
static inline bool start_ready(void)
{
    return sm_likely(__atomic_load_n(&start_done, __ATOMIC_ACQUIRE)) || start_late();
}

/* Serialises starting and hooking. Forks and signals wait meanwhile. */
void start_lock(void);
void start_unlock(void);

/* With the lock: starts, once. */
void start_now(void);

/* An allocation before our constructor: it went to the C library. */
void start_count_early(void);

/* Our constructor: reads the settings, of which a wrong one is said when a libcrypto is there.
 */
void start_read_settings(char *const *envp);

/* And is over: from now on a libcrypto that comes starts. */
void start_begun(void);

#endif
