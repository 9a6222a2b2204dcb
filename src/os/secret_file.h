/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret memory as a file descriptor that other processes may receive. Failures are negative
 * errno values; errno is kept.
 */
#ifndef SM_OS_SECRET_FILE_H
#define SM_OS_SECRET_FILE_H

#include "base/common.h"

/* Opens secret memory of so many bytes, not mapped. Returns the descriptor, close-on-exec. */
int sm_secret_file_open(size_t length);

/* Returns the size in bytes of the secret memory that a descriptor is, -EINVAL for others. */
int64_t sm_secret_file_size(int fd);

/*
 * Maps secret memory at a place that is reserved, so that forked children do not get it, and
 * makes its pages resident. Keeps the contents. On failure the place is inaccessible.
 */
int sm_secret_file_map(int fd, void *place, size_t length);

#endif
