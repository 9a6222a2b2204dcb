/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret memory that a hibernation of the machine left out of its image, by the choice of the
 * administrator (secretmem.hibernate=wipe of a patched kernel): an access is SIGBUS. The design
 * is in docs/hibernation.md.
 */
#ifndef SM_ARENA_WIPED_H
#define SM_ARENA_WIPED_H

#include "base/common.h"

/* Whether the kernel can wipe secret memory. Tests set the known value. */
enum { SM_WIPE_NOT_ASKED, SM_WIPE_NEVER, SM_WIPE_OFFERED };
extern SM_LOCAL uint32_t sm_wipe_known;

/*
 * Asks the kernel, once. Called at start, after sm_seccomp_probe(). The functions below make no
 * system call before it, or where it returns false.
 */
bool sm_wipe_offered(void);

/*
 * Whether a byte of secret memory, to which this thread has access, is wiped. Does not touch
 * it. Returns false too where a filter forbids to ask. Async-signal-safe.
 */
bool sm_is_wiped(const void *p);

/*
 * Returns whether pages of the arena are wiped: asks for a live block of each chunk. Takes no
 * lock. Not called in a rawfork child. Async-signal-safe.
 */
bool sm_arena_is_wiped(void);

/*
 * The same, and touches such a page: what handles SIGBUS in this process decides what happens.
 * Called before work that cannot be done without the secrets.
 */
void sm_wiped_touch(void);

/* Touches memory that is wiped. */
void sm_wiped_touch_at(const void *p);

/* Set by the layer above; NULL: there is none. The same for memory of that layer. */
extern SM_LOCAL void (*sm_wiped_touch_more)(void);

/* The same for the first live block of one partition, in the middle of an allocation. */
void sm_wiped_touch_first(unsigned part);

/*
 * Whether an address of the arena is in a page of secret memory that was resident, where a
 * fault means that the kernel has wiped it. Async-signal-safe.
 */
bool sm_arena_has_secret(const void *p);

#endif
