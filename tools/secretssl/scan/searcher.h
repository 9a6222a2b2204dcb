/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches a stream of memory, which may have gaps, for all needles: bytes as they are, and
 * base64 text without its line breaks.
 */
#ifndef SECRETSSL_SCAN_SEARCHER_H
#define SECRETSSL_SCAN_SEARCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/patterns.h"

struct searcher;

struct copy {
    uint64_t address; /* of the first byte found */
    const struct key_part *part;
    enum encoding encoding;
    size_t size; /* bytes found, or characters of base64 without line breaks */
    size_t of;   /* the size of a whole copy */
};

typedef void copy_fn(void *context, const struct copy *copy);

/* On failure prints a message and returns NULL. */
struct searcher *searcher_make(const struct key_parts *keys);

/* Frees the searcher. NULL is ignored. */
void searcher_free(struct searcher *searcher);

/* Begins a new process and forgets the copies of the last one. */
void searcher_begin(struct searcher *searcher, copy_fn *found, void *context);

/*
 * Returns where the caller puts the memory from an address on. *room: the space there for it, 0
 * only if address and end are the same. An address other than the end of the last memory makes
 * a gap.
 */
uint8_t *searcher_room(struct searcher *searcher, uint64_t address, uint64_t end, size_t *room);

/* Takes `size` bytes that the caller has put there. */
void searcher_take(struct searcher *searcher, size_t size);

/* Ends the stream: searches the rest and clears the memory that was read. */
void searcher_end(struct searcher *searcher);

#endif
