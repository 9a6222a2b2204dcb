/* SPDX-License-Identifier: Apache-2.0 */
/* What `secretssl stat` prints, in its three forms. */
#ifndef SECRETSSL_STAT_REPORT_H
#define SECRETSSL_STAT_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "process/state.h"

struct stat_result {
    struct process_state *list;
    size_t count;
    size_t states[STATES]; /* of all processes looked at, also of those not in the list */
    bool all;              /* of the machine; else those that were named */
};

/* Each prints on stdout. False after a message if that cannot be written. */
bool stat_print_text(const struct stat_result *result);
bool stat_print_json(const struct stat_result *result);
bool stat_print_prometheus(const struct stat_result *result);

#endif
