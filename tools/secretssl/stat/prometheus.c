/* SPDX-License-Identifier: Apache-2.0 */
#include "stat/prometheus.h"

#include <stdio.h>
#include <string.h>

#include "cli/clean.h"

void metric_begin(const char *metric, const char *help)
{
    size_t length = strlen(metric);
    bool counter = length > 6 && strcmp(metric + length - 6, "_total") == 0;

    printf("# HELP secretssl_%s %s\n# TYPE secretssl_%s %s\n", metric, help, metric,
           counter ? "counter" : "gauge");
}

void metric_label(const char *name, const char *value)
{
    char shown[512];

    snprintf(shown, sizeof(shown), "%s", value);
    clean_text(shown);
    printf("%s=\"", name);
    for (const char *at = shown; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            putchar('\\');
        putchar(*at);
    }
    putchar('"');
}

void metrics_print_common(const struct stat_result *result)
{
    metric_begin("build_info", "1, with the version of this program.");
    puts("secretssl_build_info{version=\"" SECRETSSL_VERSION "\"} 1");
    metric_begin("processes", "Processes that were examined, by state.");
    for (int i = 0; i < STATES; i++)
        printf("secretssl_processes{state=\"%s\"} %zu\n", state_names[i], result->states[i]);
}
