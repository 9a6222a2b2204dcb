/* SPDX-License-Identifier: Apache-2.0 */
/* Searches for many needles in one pass. */
#ifndef SECRETSSL_SCAN_MATCHER_H
#define SECRETSSL_SCAN_MATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/patterns.h"

struct matcher;

/* A run of bytes that occurs in a needle and in the searched memory. */
struct match {
    size_t needle; /* the needle's index */
    size_t at;     /* offset in the searched text */
    size_t skip;   /* bytes missing from the needle's beginning */
    size_t size;   /* at least the needle's `least` */
};

typedef void match_fn(void *context, const struct match *match);

/* Returns NULL if out of memory. The needles must not change or be freed. */
struct matcher *matcher_make(const struct needles *needles);

/* Frees the matcher. NULL is ignored. */
void matcher_free(struct matcher *matcher);

/*
 * Calls found() for every run that contains an anchor which begins in [from, to) of the text.
 * The same run may be reported more than once. Runs are complete if the text has
 * matcher_context() bytes on either side of [from, to).
 */
void matcher_search(const struct matcher *matcher, const uint8_t *text, size_t size,
                    size_t from, size_t to, match_fn *found, void *context);

/* Returns the most bytes that a run, with a DER head, extends on either side of an anchor. */
size_t matcher_context(const struct matcher *matcher);

#endif
