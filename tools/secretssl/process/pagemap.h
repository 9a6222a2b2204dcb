/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pages of a process exist. A reservation of terabytes is searched in no time this way,
 * and the search does not make pages in the process it looks at.
 */
#ifndef SECRETSSL_PROCESS_PAGEMAP_H
#define SECRETSSL_PROCESS_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct presence;

/* NULL with errno set. */
struct presence *presence_open(pid_t pid);
void presence_close(struct presence *presence);

/*
 * The first run of pages, present or swapped out, at or after `from` and before `end`. 1 if
 * there is one, 0 if there is none, -1 with errno set. Long runs may come in pieces.
 */
int presence_next(struct presence *presence, uint64_t from, uint64_t end, uint64_t *start,
                  uint64_t *stop);

/* Do without the system call of Linux 6.7 that skips holes; for tests, and older kernels. */
void presence_read_only(struct presence *presence);

#endif
