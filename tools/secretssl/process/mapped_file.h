/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the file of a mapping, for pages that the process has not touched. */
#ifndef SECRETSSL_PROCESS_MAPPED_FILE_H
#define SECRETSSL_PROCESS_MAPPED_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "process/maps.h"

/*
 * Returns a descriptor for reading the mapping's file, or -1 if the file is not a regular file
 * or may not be opened.
 */
int backing_open(pid_t pid, const struct mapping *mapping);

/*
 * Finds the first run of data in [from, end) of the mapping, without holes and not beyond the
 * end of the file. Returns 1 if the range has data, else 0.
 */
int backing_next(int fd, const struct mapping *mapping, uint64_t from, uint64_t end,
                 uint64_t *start, uint64_t *stop);

#endif
