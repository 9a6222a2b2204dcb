/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of a file in the kernel's page cache. */
#ifndef SM_OS_PAGE_CACHE_H
#define SM_OS_PAGE_CACHE_H

#include "base/common.h"

/* The kernel does not tell this process whether the file is cached. */
#define SM_PAGE_CACHE_UNTOLD (-1000L)

/*
 * Drops the first size bytes of an open regular file from the page cache, and looks whether
 * they are gone. Returns how many pages are still cached, SM_PAGE_CACHE_UNTOLD, or a negative
 * errno value if nobody could look. Keeps errno.
 */
long sm_page_cache_drop(int fd, size_t size);

#endif
