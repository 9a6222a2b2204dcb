/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches a stream of memory, which may have gaps, for all needles: bytes as they are, and
 * base64 text with its line breaks taken out.
 */
#ifndef SECRETSSL_SCAN_SEARCHER_H
#define SECRETSSL_SCAN_SEARCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/patterns.h"

struct searcher;

struct copy {
    uint64_t address; /* of the first byte that is there */
    const struct key_part *part;
    enum encoding encoding;
    size_t size; /* what is there: bytes, or characters of base64 without line breaks */
    size_t of;   /* what a whole copy has */
};

typedef void copy_fn(void *context, const struct copy *copy);

/* NULL after a message on stderr. */
struct searcher *searcher_make(const struct key_parts *keys);

/* A new process: what was seen before is not a part of it. */
void searcher_begin(struct searcher *searcher, copy_fn *found, void *context);

/*
 * Where to put the memory that lies at this address, and how much there is room for (never
 * none). An address other than where the last ended makes a gap.
 */
uint8_t *searcher_room(struct searcher *searcher, uint64_t address, size_t *room);

/* So much was put there. */
void searcher_take(struct searcher *searcher, size_t size);

/* There is no more: tells of what is left, and clears the memory that was read. */
void searcher_end(struct searcher *searcher);

#endif
