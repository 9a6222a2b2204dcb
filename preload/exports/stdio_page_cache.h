/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's own copy of a file. */
#ifndef PRELOAD_EXPORTS_STDIO_PAGE_CACHE_H
#define PRELOAD_EXPORTS_STDIO_PAGE_CACHE_H

/*
 * Drops the pages of an open file from the kernel's page cache; says so, once, if they stay.
 * Keeps errno.
 */
void page_cache_drop(int fd);

#endif
