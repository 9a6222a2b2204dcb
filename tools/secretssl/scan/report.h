/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a search, as text or JSON. */
#ifndef SECRETSSL_SCAN_REPORT_H
#define SECRETSSL_SCAN_REPORT_H

#include <stdbool.h>

#include "scan/process.h"

struct scan_report;

/* On failure prints a message and returns NULL. */
struct scan_report *scan_report_begin(bool json, const struct key_parts *keys);

/*
 * Prints the result (text) or keeps it for scan_report_end() (JSON). On failure prints a
 * message and returns false.
 */
bool scan_report_add(struct scan_report *report, const struct process_result *result);

/*
 * Ends the report and frees it; prints the JSON. On failure prints a message and returns false.
 */
bool scan_report_end(struct scan_report *report);

#endif
