/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/clean.h"
#include "cli/message.h"
#include "cli/terminal.h"
#include "stat/metrics.h"
#include "stat/report.h"

struct size_text size_as_text(uint64_t bytes)
{
    static const char units[] = "KMGTPE";
    struct size_text result;
    double value = (double)bytes;
    int unit = -1;

    while (value >= 1024 && unit < 5) {
        value /= 1024;
        unit++;
    }
    if (unit < 0)
        snprintf(result.text, sizeof(result.text), "0 KiB");
    else
        snprintf(result.text, sizeof(result.text), "%.*f %ciB", unit > 0 ? 1 : 0, value,
                 units[unit]);
    if (unit < 0 && bytes > 0)
        snprintf(result.text, sizeof(result.text), "%" PRIu64 " B", bytes);
    return result;
}

const char *state_colour(enum protection_state state)
{
    static const enum colour colours[STATES] = {
        [STATE_PROTECTED] = GREEN, [STATE_DEGRADED] = YELLOW, [STATE_REFUSING] = YELLOW,
        [STATE_UNUSED] = DIM,      [STATE_UNPROTECTED] = RED, [STATE_UNREACHED] = RED,
        [STATE_NO_TLS] = DIM,      [STATE_UNKNOWN] = MAGENTA, [STATE_GONE] = DIM,
    };

    return colour(colours[state]);
}

static void print_memory(const uint64_t *v)
{
    printf("  memory       %s secret", size_as_text(v[FIGURE_SECRET]).text);
    if (v[FIGURE_UNCACHED_BYTES] > 0)
        printf(" (%s uncached)", size_as_text(v[FIGURE_UNCACHED_BYTES]).text);
    printf(", %s locked, %s plain, %s ordinary; peak %s\n", size_as_text(v[FIGURE_LOCKED]).text,
           size_as_text(v[FIGURE_PLAIN]).text, size_as_text(v[FIGURE_ORDINARY]).text,
           size_as_text(v[FIGURE_PEAK]).text);
}

static void print_arena(const struct process_state *process, const uint64_t *v)
{
    printf("  arena        %s mapped of at most %s", size_as_text(v[FIGURE_MAPPED]).text,
           size_as_text(v[FIGURE_LIMIT]).text);
    if (v[FIGURE_BLOCKS] > 0)
        printf(" (%s in whole blocks)", size_as_text(v[FIGURE_BLOCKS]).text);
    putchar(':');
    for (unsigned part = 0; part < SM_PARTS; part++)
        printf("%s %s %s", part > 0 ? "," : "", partition_names[part],
               size_as_text(figures_partition(process, part)).text);
    putchar('\n');
}

static void print_figures(const struct process_state *process)
{
    uint64_t v[FIGURES];

    figures_of(process, v);
    print_memory(v);
    print_arena(process, v);
    printf("  allocations  %" PRIu64 " live (%s), %" PRIu64 " made, %" PRIu64 " freed\n",
           v[FIGURE_LIVE], size_as_text(v[FIGURE_LIVE_BYTES]).text, v[FIGURE_ALLOCATIONS],
           v[FIGURE_FREES]);
    printf("  spilled      %" PRIu64 " to the C library (%s), %" PRIu64 " refused, %" PRIu64
           " pages not secret\n",
           v[FIGURE_SPILLED], size_as_text(v[FIGURE_SPILLED_BYTES]).text, v[FIGURE_FAILED],
           v[FIGURE_DEGRADED]);
    printf("  faults       %" PRIu64 " pages made resident, %" PRIu64 " copied at its fork\n",
           v[FIGURE_FAULTS], v[FIGURE_FORK_PAGES]);
    printf("  forks        %" PRIu64 " children copied, %" PRIu64 " abandoned", v[FIGURE_FORKS],
           v[FIGURE_FORKS_FAILED]);
    if (v[FIGURE_FORK_RESERVE] > 0)
        printf("; %" PRIu64 " in recycled pages, %s reserved", v[FIGURE_RECYCLED],
               size_as_text(v[FIGURE_FORK_RESERVE]).text);
    putchar('\n');
    if (v[FIGURE_MLOCKS] + v[FIGURE_MLOCKS_LEFT] > 0)
        printf("  locked by it %s under %" PRIu64 " locks, %" PRIu64 " left to the kernel\n",
               size_as_text(v[FIGURE_MLOCK_BYTES]).text, v[FIGURE_MLOCKS],
               v[FIGURE_MLOCKS_LEFT]);
    printf("  hooks        %" PRIu64 " libcrypto hooked, %" PRIu64 " not", v[FIGURE_HOOKS],
           v[FIGURE_HOOKS_FAILED]);
    if (v[FIGURE_TOOLKITS] > 0)
        printf("; %" PRIu64 " other crypto libraries", v[FIGURE_TOOLKITS]);
    putchar('\n');
    if (v[FIGURE_SEALING] > 0)
        printf("  sealed keys  opened %" PRIu64 " times for %.3f s, %" PRIu64
               " unlisted; %" PRIu64 " accesses by others stopped\n",
               v[FIGURE_WINDOWS], (double)v[FIGURE_SEAL_OPEN] / 1e6, v[FIGURE_UNLISTED],
               v[FIGURE_SEALED_READS]);
    if (process->stats.cut_short)
        puts("  incomplete   some of its figures could not be read");
}

static void print_process(const struct process_state *process)
{
    printf("%d (", (int)process->pid);
    put_clean(process->name);
    printf("): %s%s%s", state_colour(process->state), state_names[process->state],
           colour(PLAIN));
    if (process->reason[0] != '\0') {
        fputs(": ", stdout);
        put_clean(process->reason);
    }
    putchar('\n');
    if (process_state_has_figures(process))
        print_figures(process);
    for (size_t i = 0; i < process->tls.count; i++)
        printf("  not reached  %s, in %s\n", process->tls.list[i].what,
               process->tls.list[i].mapping->name);
}

bool stat_print_text(const struct stat_result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        /* stderr has the message for a process that could not be inspected. */
        if (result->list[i].state < STATE_UNKNOWN || result->list[i].stats.count > 0)
            print_process(&result->list[i]);
    }
    return output_written();
}

void stat_print_sum(const struct stat_result *result, unsigned columns)
{
    const size_t *states = result->states;
    char text[320];
    int shown = columns > 0 ? (int)columns : (int)sizeof(text);

    snprintf(text, sizeof(text),
             "%zu protected, %zu degraded, %zu refusing, %zu not used, %zu unprotected, "
             "%zu not reached, %zu not looked at",
             states[STATE_PROTECTED], states[STATE_DEGRADED], states[STATE_REFUSING],
             states[STATE_UNUSED], states[STATE_UNPROTECTED], states[STATE_UNREACHED],
             states[STATE_UNKNOWN]);

    printf("%.*s\n", shown, text);
}
