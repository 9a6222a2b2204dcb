/* SPDX-License-Identifier: Apache-2.0 */
/* Whether memory can be read, without reading it. */
#ifndef SM_OS_READABLE_H
#define SM_OS_READABLE_H

#include "base/common.h"

/*
 * Whether the program may read these bytes. Returns false too where a filter forbids the check.
 * Does not touch the bytes, and raises no signal.
 */
bool sm_pages_readable(const void *address, size_t length);

#endif
