/* SPDX-License-Identifier: Apache-2.0 */
/* How the program may access a page, found by system calls that change nothing. */
#ifndef SM_OS_PAGE_ACCESS_H
#define SM_OS_PAGE_ACCESS_H

#include "base/common.h"

enum sm_access { SM_ACCESS_NONE, SM_ACCESS_READ, SM_ACCESS_WRITE };

/*
 * Returns the access to the page at address. Returns SM_ACCESS_WRITE too where a filter forbids
 * the calls. Makes a page that may be written resident, and raises no signal.
 */
enum sm_access sm_page_access(void *address);

/* Sets the access to whole pages. Returns 0, or a negative errno value. */
int sm_page_set_access(void *address, size_t length, enum sm_access access);

#endif
