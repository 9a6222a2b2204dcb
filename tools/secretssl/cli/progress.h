/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on stderr, for a search that takes more than a second on a terminal. */
#ifndef SECRETSSL_CLI_PROGRESS_H
#define SECRETSSL_CLI_PROGRESS_H

#include <stdint.h>
#include <sys/types.h>

/* A process (0: the kernel) with about so many bytes to look at. */
void progress_begin(pid_t pid, uint64_t total);

/* So many more bytes have been looked at. */
void progress_add(uint64_t bytes);

/* Takes the bar away. */
void progress_end(void);

#endif
