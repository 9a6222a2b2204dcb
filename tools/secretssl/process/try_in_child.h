/* SPDX-License-Identifier: Apache-2.0 */
/* Things that are tried out in a child process, which may die of them. */
#ifndef SECRETSSL_PROCESS_TRY_IN_CHILD_H
#define SECRETSSL_PROCESS_TRY_IN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SECRET_UNCACHED 2U /* a flag of patched kernels */

/*
 * Runs work(result) in a child, which shares the result (size bytes, zero at first). Returns 0
 * if it came to its end, the signal that ended it, or -1 with errno set if there is no child to
 * be had. A child that takes more than half a minute ends by SIGALRM.
 */
int trial(void (*work)(void *result), void *result, size_t size);

/* The same with so many seconds of patience. */
int trial_within(unsigned seconds, void (*work)(void *result), void *result, size_t size);

/* memfd_secret(2). A descriptor, or -1 with errno set. */
int secret_open(unsigned flags);

/* A mapping of secret memory of its own. NULL with errno set; *step is then what failed. */
void *secret_map(size_t size, const char **step);

/* Makes a page present without the danger of SIGBUS. False with errno set. */
bool secret_touch(void *page);

/*
 * Whether memory at the address can be read from outside, as far as this process can try it on
 * itself: 1 yes, 0 no, -1 it cannot be tried.
 */
int readable_from_outside(const void *address);

/* The first line of a small file, without its end. False with errno set. */
bool first_line(const char *path, char *line, size_t size);

#endif
