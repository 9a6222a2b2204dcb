/* SPDX-License-Identifier: Apache-2.0 */
/* Finds many needles at once. */
#ifndef SECRETSSL_SCAN_MATCHER_H
#define SECRETSSL_SCAN_MATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/patterns.h"

struct matcher;

/* A run of bytes that a needle and the searched memory have in common. */
struct match {
    size_t needle; /* its index */
    size_t at;     /* in what was searched */
    size_t skip;   /* how much of the needle's beginning is not there */
    size_t size;   /* at least the needle's `least` */
};

typedef void match_fn(void *context, const struct match *match);

/* NULL without memory. The needles must stay as they are. */
struct matcher *matcher_make(const struct needles *needles);

/*
 * Tells of every run that an anchor in [from, to) of the size bytes at text belongs to; the
 * same run may be told of more than once. A caller that leaves matcher_context() bytes on
 * either side of [from, to) gets whole runs.
 */
void matcher_search(const struct matcher *matcher, const uint8_t *text, size_t size,
                    size_t from, size_t to, match_fn *found, void *context);

/* How much a run can reach out on either side of an anchor, a DER head included. */
size_t matcher_context(const struct matcher *matcher);

#endif
