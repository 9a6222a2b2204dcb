/* SPDX-License-Identifier: Apache-2.0 */
/* What a search found, for people and for programs. */
#ifndef SECRETSSL_SCAN_REPORT_H
#define SECRETSSL_SCAN_REPORT_H

#include <stdbool.h>

#include "scan/process.h"

struct scan_report;

/* NULL after a message on stderr. */
struct scan_report *scan_report_begin(bool json, const struct key_parts *keys);

/* As text it is printed now, as JSON kept. False after a message on stderr. */
bool scan_report_add(struct scan_report *report, const struct process_result *result);

/* The rest of it. False after a message on stderr. */
bool scan_report_end(struct scan_report *report);

#endif
