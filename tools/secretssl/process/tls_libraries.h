/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the TLS libraries in a process: those that libsecretssl cannot reach, and the copies of
 * OpenSSL that libsecretssl can reach.
 */
#ifndef SECRETSSL_PROCESS_TLS_LIBRARIES_H
#define SECRETSSL_PROCESS_TLS_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "process/maps.h"

struct unreached {
    const struct mapping *mapping; /* the file's first mapping */
    const char *what;
};

struct unreached_list {
    struct unreached *list;
    size_t count;
    const struct mapping *openssl; /* the first reachable one; NULL: none found */
    const struct mapping **copies; /* code mappings of reachable copies of OpenSSL */
    size_t copy_count;
    const struct mapping *hooked; /* a TLS library that is reachable and not OpenSSL's; NULL */
    const char *locking;          /* a library that locks its secrets, and has no TLS; NULL */
    const struct mapping *named;  /* the first file with a name of OpenSSL's */
    unsigned closed;              /* files with code that could not be opened */
    const struct mapping *closed_first;
    unsigned waited; /* waits that timed out in this call */
    unsigned stuck;  /* files that could not be read in time */
};

/*
 * Searches the files that the process has mapped, if they may be opened. The result is a hint
 * and no proof: a library stripped of every mark is not found. Returns false if out of memory.
 *
 * A file may be on a FUSE file system that answers late or never. patience: seconds to wait for
 * a file, in a child process; 0: read the file in this process without a time limit.
 */
bool unreached_find(pid_t pid, const struct process_map *map, unsigned patience,
                    struct unreached_list *found);

/*
 * Returns what the open file contains of OpenSSL, BoringSSL or AWS-LC and libsecretssl cannot
 * reach, or NULL.
 */
const char *unreached_copy(int fd);

void unreached_free(struct unreached_list *found);

/* Returns true if an earlier element has the same text: two files may have the same TLS. */
bool unreached_is_repeated(const struct unreached_list *found, size_t number);

#endif
