/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protection keys (pkeys(7)): a register of each thread, which needs no system call to change,
 * decides whether the thread may access the pages that have a key. Failures are negative errno
 * values.
 */
#ifndef SM_OS_PAGE_KEY_H
#define SM_OS_PAGE_KEY_H

#include "base/common.h"

/*
 * Allocates a key to which the calling thread has no access. Other threads have none either,
 * unless an earlier owner of the key's number gave them access. Returns the key, more than 0,
 * or a negative errno value: the processor has no keys, all are taken, or a filter forbids it.
 */
int sm_page_key_alloc(void);

/* Frees a key that no page has any more. */
void sm_page_key_free(int key);

/* Gives whole pages a key, and access by mprotect(2). Key 0 is that of ordinary memory. */
int sm_page_key_assign(void *address, size_t length, int key);

/* Gives the calling thread access to the pages of a key, or takes it. Async-signal-safe. */
void sm_page_key_allow(int key, bool access);

#endif
