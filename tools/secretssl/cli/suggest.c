/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { LONGEST = 64 };

static bool is_same(char one, char other)
{
    return tolower((unsigned char)one) == tolower((unsigned char)other);
}

static size_t smaller_of(size_t one, size_t other)
{
    return one < other ? one : other;
}

/*
 * Returns the number of letters to leave out, add, change or exchange with the next one until
 * one text is the other. rows: the distances of the first letters, of the last three lengths.
 */
static size_t distance_between(const char *one, const char *other)
{
    size_t rows[3][LONGEST + 1];
    size_t length = strlen(one), width = strlen(other);

    if (length > LONGEST || width > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= width; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            row[j] = above[j - 1] + !is_same(one[i - 1], other[j - 1]);
            row[j] = smaller_of(row[j], smaller_of(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && is_same(one[i - 1], other[j - 2]) &&
                is_same(one[i - 2], other[j - 1]))
                row[j] = smaller_of(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[length % 3][width];
}

struct suggestion suggestion_begin(const char *text)
{
    /* A text of less than three letters is like everything. */
    return (struct suggestion){.text = text, .distance = strlen(text) / 3 + 1};
}

void suggestion_compare(struct suggestion *suggestion, const char *name)
{
    size_t distance = distance_between(suggestion->text, name);

    if (distance < suggestion->distance && strcmp(suggestion->text, name) != 0) {
        suggestion->best = name;
        suggestion->distance = distance;
    }
}
