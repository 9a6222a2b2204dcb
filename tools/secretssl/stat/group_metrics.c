/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of services and programs: as few time series as there are of these. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "stat/group.h"
#include "stat/prometheus.h"

static void group_sample(const char *metric, const struct group *group)
{
    printf("secretssl_%s{", metric);
    metric_label("unit", group->unit);
    putchar(',');
    metric_label("program", group->program);
}

static void print_group_states(const struct group_list *groups)
{
    metric_begin("process_state", "Processes of a service or program that are in a state; see "
                                  "secretssl(1).");
    for (size_t i = 0; i < groups->count; i++) {
        for (int state = 0; state < STATES; state++) {
            group_sample("process_state", &groups->list[i]);
            printf(",state=\"%s\"} %zu\n", state_names[state], groups->list[i].states[state]);
        }
    }
    metric_begin("groups_merged",
                 "Services and programs that are counted as the program " GROUP_OTHERS
                 ", because there are too many.");
    printf("secretssl_groups_merged %zu\n", groups->left);
}

static void print_group_unreached(const struct group_list *groups)
{
    metric_begin("not_reached",
                 "Processes of a service or program with TLS that libsecretssl does not "
                 "protect.");
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->list[i];

        for (size_t k = 0; k < group->unreached_count; k++) {
            group_sample("not_reached", group);
            putchar(',');
            metric_label("what", group->unreached[k].what);
            printf("} %zu\n", group->unreached[k].processes);
        }
    }
}

/*
 * A sum over living processes falls when one of them ends, which Prometheus would take for the
 * restart of a counter. It is therefore no counter, and has no "_total".
 */
static void print_group_figure(const struct group_list *groups, int figure)
{
    const char *metric = figures[figure].metric;
    char name[64], help[200];
    bool counts = strlen(metric) > 6 && strcmp(metric + strlen(metric) - 6, "_total") == 0;
    bool most = figure == FIGURE_PEAK || figure == FIGURE_LIMIT;

    snprintf(name, sizeof(name), "%.*s", (int)(strlen(metric) - (counts ? 6 : 0)), metric);
    snprintf(help, sizeof(help), "%s %s", figures[figure].help,
             most ? "The largest of the processes." : "The sum of the living processes.");
    metric_begin(name, help);
    for (size_t i = 0; i < groups->count; i++) {
        if (!groups->list[i].has_figures)
            continue;
        group_sample(name, &groups->list[i]);
        printf("} %" PRIu64 "\n", groups->list[i].values[figure]);
    }
}

static void print_group_parts(const struct group_list *groups)
{
    metric_begin("partition_bytes", "Resident bytes in each partition of the arenas.");
    for (size_t i = 0; i < groups->count; i++) {
        for (unsigned part = 0; groups->list[i].has_figures && part < SM_PARTS; part++) {
            group_sample("partition_bytes", &groups->list[i]);
            printf(",partition=\"%s\"} %" PRIu64 "\n", partition_names[part],
                   groups->list[i].parts[part]);
        }
    }
    metric_begin("arena_used_ratio", "The part of its arena that a process has mapped, of the "
                                     "process where it is largest.");
    for (size_t i = 0; i < groups->count; i++) {
        if (!groups->list[i].has_figures)
            continue;
        group_sample("arena_used_ratio", &groups->list[i]);
        printf("} %.4f\n", groups->list[i].arena_used);
    }
}

bool stat_print_group_metrics(const struct stat_result *result)
{
    struct group_list groups;
    bool good = groups_make(result, &groups);

    if (good) {
        metrics_print_common(result);
        print_group_states(&groups);
        print_group_unreached(&groups);
        for (int i = 0; i < FIGURES; i++)
            print_group_figure(&groups, i);
        print_group_parts(&groups);
    } else {
        say("stat: out of memory");
    }
    groups_free(&groups);
    return good && output_written();
}
