/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the resident pages of a process. A reservation of terabytes is searched quickly, and
 * the search does not populate pages in the process.
 */
#ifndef SECRETSSL_PROCESS_PAGEMAP_H
#define SECRETSSL_PROCESS_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct presence;

/* Returns NULL with errno set on failure. */
struct presence *presence_open(pid_t pid);
void presence_close(struct presence *presence);

/*
 * Finds the first run of pages, resident or swapped out, at or after `from` and before `end`.
 * Returns 1 if found, 0 if there is none, -1 with errno set. Long runs may come in pieces.
 */
int presence_next(struct presence *presence, uint64_t from, uint64_t end, uint64_t *start,
                  uint64_t *stop);

/*
 * Makes the search read pagemap entries instead of calling the PAGEMAP_SCAN ioctl of Linux 6.7,
 * which skips holes; for tests and older kernels.
 */
void presence_read_only(struct presence *presence);

#endif
