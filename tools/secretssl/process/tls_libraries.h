/* SPDX-License-Identifier: Apache-2.0 */
/* TLS in a process: what libsecretssl cannot reach, where it lies; and whether there is any
 * that it can. */
#ifndef SECRETSSL_PROCESS_TLS_LIBRARIES_H
#define SECRETSSL_PROCESS_TLS_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "process/maps.h"

struct unreached {
    const struct mapping *mapping; /* the first of the file's */
    const char *what;
};

struct unreached_list {
    struct unreached *list;
    size_t count;
    const struct mapping *openssl; /* the first that can be reached; NULL: none was seen */
    const struct mapping **copies; /* of OpenSSL that can be reached: their code */
    size_t copy_count;
    const struct mapping *named; /* the first that is one by its name */
    unsigned closed;             /* files of code that could not be opened */
    const struct mapping *closed_first;
    unsigned waited; /* how many were waited for in vain, this time */
    unsigned stuck;  /* files that nobody answered for in time */
};

/*
 * Looks into the files that the process has mapped, as far as they may be opened. A hint, not a
 * proof: what was stripped of every trace is not seen. False without memory.
 *
 * A file may lie where its owner answers when it pleases him (FUSE), or never. patience:
 * seconds for which a file is waited for, in a child process; 0: look at once, for as long as
 * it takes.
 */
bool unreached_find(pid_t pid, const struct process_map *map, unsigned patience,
                    struct unreached_list *found);

/* Does the open file have a copy of OpenSSL that exports no symbols? */
bool unreached_openssl(int fd);

void unreached_free(struct unreached_list *found);

#endif
