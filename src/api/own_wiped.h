/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas of the program's own, and memory of descriptors, that a hibernation wiped. */
#ifndef SM_API_OWN_WIPED_H
#define SM_API_OWN_WIPED_H

/* Called once, after sm_heap_start(): asks whether the kernel can wipe secret memory. */
void sm_own_wiped_init(void);

/*
 * Returns 1 if one is wiped, 0 if none is, -EACCES if that cannot be seen of all.
 * Async-signal-safe.
 */
int sm_own_wiped(void);

#endif
