/* SPDX-License-Identifier: Apache-2.0 */
/* The text format of Prometheus. */
#ifndef SECRETSSL_STAT_PROMETHEUS_H
#define SECRETSSL_STAT_PROMETHEUS_H

#include "stat/report.h"

/* Prints the lines before the samples of a metric, whose name ends in "_total" if it counts. */
void metric_begin(const char *metric, const char *help);

/* Prints a label with its name, as valid UTF-8 and with what has to be escaped. */
void metric_label(const char *name, const char *value);

/* Prints the version and the number of processes in each state, of the whole result. */
void metrics_print_common(const struct stat_result *result);

#endif
