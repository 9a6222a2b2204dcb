/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that libsecretssl makes, and the errors with which the kernel can answer
 * each of them.
 */
#ifndef FAULTS_CALLS_H
#define FAULTS_CALLS_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>

#define CALL_ERRORS 6

struct call {
    int number;
    const char *name;
    int errors[CALL_ERRORS]; /* errno values, 0: no more */
};

/* All calls, and their number in *count. */
const struct call *calls_all(size_t *count);

/* Returns a call by its number, or NULL: no call of the library, which the filter lets pass. */
const struct call *call_of(int number);

size_t call_errors(const struct call *call);

/* Whether the kernel could fail this call with these arguments. */
bool call_can_fail(const struct seccomp_data *data);

/*
 * Whether this is the clone of a helper process (src/os/helper_process.c), which the library
 * makes through the C library: without the exit signal that fork and posix_spawn ask for.
 */
bool call_is_helper(const struct seccomp_data *data);

#endif
