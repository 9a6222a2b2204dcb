/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of each process by itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "stat/metrics.h"
#include "stat/prometheus.h"

static void begin_sample(const char *metric, const struct process_state *process)
{
    printf("secretssl_%s{pid=\"%d\",", metric, (int)process->pid);
    metric_label("comm", process->name);
}

static void print_figure(const struct stat_result *result, int figure)
{
    uint64_t values[FIGURES];

    metric_begin(figures[figure].metric, figures[figure].help);
    for (size_t i = 0; i < result->count; i++) {
        if (!process_state_has_figures(&result->list[i]))
            continue;
        figures_of(&result->list[i], values);
        begin_sample(figures[figure].metric, &result->list[i]);
        printf("} %" PRIu64 "\n", values[figure]);
    }
}

static void print_partitions(const struct stat_result *result)
{
    metric_begin("partition_bytes", "Resident bytes in each partition of the arena.");
    for (size_t i = 0; i < result->count; i++) {
        for (unsigned part = 0; process_state_has_figures(&result->list[i]) && part < SM_PARTS;
             part++) {
            begin_sample("partition_bytes", &result->list[i]);
            printf(",partition=\"%s\"} %" PRIu64 "\n", partition_names[part],
                   figures_partition(&result->list[i], part));
        }
    }
}

static void print_unreached(const struct stat_result *result)
{
    metric_begin("not_reached",
                 "1 for each TLS in a process that libsecretssl does not protect.");
    for (size_t i = 0; i < result->count; i++) {
        const struct unreached_list *tls = &result->list[i].tls;

        for (size_t k = 0; k < tls->count; k++) {
            if (unreached_is_repeated(tls, k))
                continue;
            begin_sample("not_reached", &result->list[i]);
            putchar(',');
            metric_label("what", tls->list[k].what);
            fputs("} 1\n", stdout);
        }
    }
}

static void print_states(const struct stat_result *result)
{
    metric_begin("process_state", "1 for the state that a process is in; see secretssl(1).");
    for (size_t i = 0; i < result->count; i++) {
        begin_sample("process_state", &result->list[i]);
        printf(",state=\"%s\"} 1\n", state_names[result->list[i].state]);
    }
}

bool stat_print_process_metrics(const struct stat_result *result)
{
    metrics_print_common(result);
    print_states(result);
    print_unreached(result);
    for (int i = 0; i < FIGURES; i++)
        print_figure(result, i);
    print_partitions(result);
    return output_written();
}
