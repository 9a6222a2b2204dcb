/* SPDX-License-Identifier: Apache-2.0 */
/* The output of `secretssl stat`, in its forms. */
#ifndef SECRETSSL_STAT_REPORT_H
#define SECRETSSL_STAT_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "process/state.h"
#include "stat/look.h"

/* Each function prints on stdout. On failure prints a message and returns false. */
bool stat_print_text(const struct stat_result *result); /* all figures of each process */
bool stat_print_json(const struct stat_result *result);
bool stat_print_process_metrics(const struct stat_result *result);
bool stat_print_group_metrics(const struct stat_result *result);

/* How a table is printed. */
struct table_form {
    bool live; /* also processes that could not be inspected, of which no message is printed */
    const struct stat_result *before; /* the last look, for rates; NULL: none */
    double seconds;                   /* since that look */
    unsigned columns, rows;           /* what fits on the terminal; 0: everything */
};

/* Prints one line for each process, on stdout. Returns false on failure, after a message. */
bool stat_print_table(const struct stat_result *result, const struct table_form *form);

/* Prints the line that counts the processes by state, cut after columns characters unless 0. */
void stat_print_sum(const struct stat_result *result, unsigned columns);

/* Returns the colour of a state. */
const char *state_colour(enum protection_state state);

/* A number of bytes as text for people. */
struct size_text {
    char text[32];
};

struct size_text size_as_text(uint64_t bytes);

#endif
