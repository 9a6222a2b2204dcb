/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the name that a user may have meant. */
#ifndef SECRETSSL_CLI_SUGGEST_H
#define SECRETSSL_CLI_SUGGEST_H

#include <stddef.h>

/* The name that is most like a text, of those that it was compared with. */
struct suggestion {
    const char *text;
    const char *best; /* NULL: no name is like the text */
    size_t distance;  /* of best */
};

struct suggestion suggestion_begin(const char *text);

/*
 * Compares the text with one name more. The suggestion keeps the pointer if the name is more
 * like the text than those before: equal but for one letter of three that was left out, added,
 * changed, or exchanged with its neighbour.
 */
void suggestion_compare(struct suggestion *suggestion, const char *name);

#endif
