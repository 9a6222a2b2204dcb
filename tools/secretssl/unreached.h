/* SPDX-License-Identifier: Apache-2.0 */
/* TLS in a process: what libsecretssl cannot reach, where it lies; and whether there is any
 * that it can. */
#ifndef SECRETSSL_TOOL_UNREACHED_H
#define SECRETSSL_TOOL_UNREACHED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "process_map.h"

struct unreached {
    const struct mapping *mapping; /* the first of the file's */
    const char *what;
};

struct unreached_list {
    struct unreached *list;
    size_t count;
    const struct mapping *openssl; /* the first that can be reached; NULL: none was seen */
};

/*
 * Looks into the files that the process has mapped, as far as they may be opened. A hint, not a
 * proof: what was stripped of every trace is not seen. False without memory.
 */
bool unreached_find(pid_t pid, const struct process_map *map, struct unreached_list *found);

void unreached_free(struct unreached_list *found);

#endif
