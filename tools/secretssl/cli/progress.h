/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on stderr, for a search that takes more than a second on a terminal. */
#ifndef SECRETSSL_CLI_PROGRESS_H
#define SECRETSSL_CLI_PROGRESS_H

#include <stdint.h>
#include <sys/types.h>

/* Begins the search of a process (0: the kernel) with about `total` bytes to search. */
void progress_begin(pid_t pid, uint64_t total);

/* Counts `bytes` more bytes as searched. */
void progress_add(uint64_t bytes);

/* Removes the bar. */
void progress_end(void);

#endif
