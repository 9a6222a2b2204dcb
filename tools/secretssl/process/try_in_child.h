/* SPDX-License-Identifier: Apache-2.0 */
/* Runs trials in a child process, because a trial may end its process. */
#ifndef SECRETSSL_PROCESS_TRY_IN_CHILD_H
#define SECRETSSL_PROCESS_TRY_IN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SECRET_UNCACHED 2U /* a flag of memfd_secret(2) in patched kernels */

/*
 * Runs work(result) in a child, which shares the result (size bytes, zero at first). Returns 0
 * if the child finished, the number of the signal that ended it, or -1 with errno set if no
 * child could be created. SIGALRM ends a child after 30 seconds.
 */
int trial(void (*work)(void *result), void *result, size_t size);

/* As trial(), but SIGALRM ends the child after `seconds`. */
int trial_within(unsigned seconds, void (*work)(void *result), void *result, size_t size);

/* Calls memfd_secret(2). Returns a descriptor, or -1 with errno set. */
int secret_open(unsigned flags);

/*
 * Maps secret memory with a descriptor of its own. Returns NULL with errno set; *step then
 * names the call that failed.
 */
void *secret_map(size_t size, const char **step);

/* Makes a page resident without a risk of SIGBUS. Returns false with errno set. */
bool secret_touch(void *page);

/*
 * Tests whether /proc/self/mem can read the address (or process_vm_readv(2), without /proc).
 * Returns 1 if it can, 0 if it cannot, -1 if the test is not possible.
 */
int readable_from_outside(const void *address);

/* Reads the first line of a small file, without the newline. Returns false with errno set. */
bool first_line(const char *path, char *line, size_t size);

#endif
