/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"
#include "log/lapse.h"
#include "stat/metrics.h"
#include "stat/report.h"

#include <ctype.h>
#include <stdio.h>

static json_t *libraries_json(const struct process_stats *stats)
{
    json_t *list = json_array();

    for (size_t i = 0; i < stats->count; i++)
        json_array_append_new(list, json_text(mapping_file_name(stats->found[i])));
    return list;
}

static json_t *json_unreached_json(const struct unreached_list *tls)
{
    json_t *list = json_array();

    for (size_t i = 0; i < tls->count; i++)
        json_array_append_new(list, json_pack("{s:o, s:s}", "mapping",
                                              json_text(tls->list[i].mapping->name), "what",
                                              tls->list[i].what));
    return list;
}

/* Returns the lapses with a count above 0. */
static json_t *lapses_json(const struct sm_stats *sum)
{
    static const char *const names[SM_LAPSES] = {
#define LAPSE(name, harm, what) [SM_LAPSE_##name] = #name,
        SM_LAPSE_LIST(LAPSE)
#undef LAPSE
    };
    json_t *object = json_object();
    char name[32];

    for (int i = 0; i < SM_LAPSES; i++) {
        if (sum->lapses[i] == 0)
            continue;
        snprintf(name, sizeof(name), "%s", names[i]);
        for (char *c = name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        json_object_set_new(object, name, json_integer((json_int_t)sum->lapses[i]));
    }
    return object;
}

static json_t *figures_json(const struct process_state *process)
{
    json_t *object = json_object(), *parts = json_object();
    uint64_t values[FIGURES];

    figures_of(process, values);
    for (int i = 0; i < FIGURES; i++)
        json_object_set_new(object, figures[i].json, json_integer((json_int_t)values[i]));
    for (unsigned part = 0; part < SM_PARTS; part++)
        json_object_set_new(parts, partition_names[part],
                            json_integer((json_int_t)figures_partition(process, part)));
    json_object_set_new(object, "partitions", parts);
    json_object_set_new(object, "lapses", lapses_json(&process->stats.sum));
    json_object_set_new(object, "complete", json_boolean(!process->stats.cut_short));
    return object;
}

static json_t *process_json(const struct process_state *process)
{
    const struct mapping *openssl = process->tls.openssl;

    json_t *object =
        json_pack("{s:i, s:o, s:I, s:o, s:s, s:o, s:o, s:o, s:o}", "pid", (int)process->pid,
                  "name", json_text(process->name), "uid", (json_int_t)process->uid, "unit",
                  process->unit[0] != '\0' ? json_text(process->unit) : json_null(), "state",
                  state_names[process->state], "reason", json_text(process->reason),
                  "libraries", libraries_json(&process->stats), "openssl",
                  openssl != NULL ? json_text(openssl->name) : json_null(), "not_reached",
                  json_unreached_json(&process->tls));

    if (object != NULL && process_state_has_figures(process)) {
        json_t *more = figures_json(process);

        json_object_update(object, more);
        json_decref(more);
    }
    return object;
}

bool stat_print_json(const struct stat_result *result)
{
    json_t *processes = json_array(), *states = json_object();

    for (size_t i = 0; i < result->count; i++)
        json_array_append_new(processes, process_json(&result->list[i]));
    for (int i = 0; i < STATES; i++)
        json_object_set_new(states, state_names[i],
                            json_integer((json_int_t)result->states[i]));
    return json_print("stat", json_pack("{s:i, s:s, s:b, s:o, s:o}", "schema", JSON_SCHEMA,
                                        "version", SECRETSSL_VERSION, "all", result->all,
                                        "states", states, "processes", processes));
}
