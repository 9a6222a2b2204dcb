/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of a file in the kernel's page cache. */
#ifndef PRELOAD_EXPORTS_STDIO_PAGE_CACHE_H
#define PRELOAD_EXPORTS_STDIO_PAGE_CACHE_H

/*
 * Drops the pages of an open file from the kernel's page cache. Reports once if pages stay.
 * Keeps errno.
 */
void page_cache_drop(int fd);

#endif
