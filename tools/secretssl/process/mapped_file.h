/* SPDX-License-Identifier: Apache-2.0 */
/* The file behind a mapping, for those of its pages that the process has not touched. */
#ifndef SECRETSSL_PROCESS_MAPPED_FILE_H
#define SECRETSSL_PROCESS_MAPPED_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "process/maps.h"

/*
 * A descriptor for reading the mapping's file, or -1: it is no regular file, or may not be
 * opened.
 */
int backing_open(pid_t pid, const struct mapping *mapping);

/*
 * The first run of data (not holes, not beyond the end) in [from, end) of the mapping. 1 if
 * there is one, else 0.
 */
int backing_next(int fd, const struct mapping *mapping, uint64_t from, uint64_t end,
                 uint64_t *start, uint64_t *stop);

#endif
