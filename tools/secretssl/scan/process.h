/* SPDX-License-Identifier: Apache-2.0 */
/* Searches the memory of one process. */
#ifndef SECRETSSL_SCAN_PROCESS_H
#define SECRETSSL_SCAN_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/maps.h"
#include "process/tls_libraries.h"
#include "scan/searcher.h"

/* A part of a mapping that was not searched. */
struct blind_spot {
    const struct mapping *mapping;
    uint64_t size; /* bytes */
    bool secret;   /* the part is secret memory, as intended */
    const char *reason;
};

struct process_result {
    pid_t pid;
    char name[32];
    struct process_map map;
    struct copy *copies;
    size_t copy_count;
    struct blind_spot *blind_spots;
    size_t blind_spot_count;
    uint64_t searched; /* bytes */
    uint64_t secret;   /* bytes of mappings of secret memory */
    struct unreached_list unreached;
    char failure[200]; /* why the search failed or is incomplete */
};

/*
 * Returns false if the process could not be searched or not to its end. result->failure then
 * gives the reason, and the rest of the result has the findings so far. stop is read often; a
 * value other than 0 ends the search.
 */
bool process_scan(pid_t pid, struct searcher *searcher, const volatile int *stop,
                  struct process_result *result);

/*
 * Adds `size` to the note for this mapping and reason; reasons are compared by address. Returns
 * false if out of memory.
 */
bool process_result_note(struct process_result *result, const struct mapping *mapping,
                         uint64_t size, const char *reason);
bool process_result_add(struct process_result *result, const struct copy *copy);

void process_result_free(struct process_result *result);

#endif
