/* SPDX-License-Identifier: Apache-2.0 */
/* The output of `secretssl stat`, in its three forms. */
#ifndef SECRETSSL_STAT_REPORT_H
#define SECRETSSL_STAT_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "process/state.h"

struct stat_result {
    struct process_state *list;
    size_t count;
    size_t states[STATES]; /* of all inspected processes, also those not in the list */
    bool all;              /* all processes of the machine; else the named ones */
};

/* Each function prints on stdout. On failure prints a message and returns false. */
bool stat_print_text(const struct stat_result *result);
bool stat_print_json(const struct stat_result *result);
bool stat_print_prometheus(const struct stat_result *result);

#endif
