/* SPDX-License-Identifier: Apache-2.0 */
/* Runs other programs, without a shell. */
#ifndef SECRETSSL_ENABLE_CHILD_H
#define SECRETSSL_ENABLE_CHILD_H

enum { CHILD_FAILED = 127 };

/*
 * Runs a program, which is searched for in PATH, to its end. Returns its exit status, 128 and
 * the signal that ended it, or CHILD_FAILED.
 */
int child_run(const char *const *argv);

/*
 * As child_run(), with the environment `environment` if that is not NULL. *output becomes what
 * the program wrote to the descriptor `from`: 1, or 2, and then what it wrote to descriptor 1
 * is dropped. *output is NULL only on failure; the caller frees it.
 */
int child_read(const char *const *argv, const char *const *environment, int from,
               char **output);

#endif
