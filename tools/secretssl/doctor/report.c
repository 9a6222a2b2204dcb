/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor/report.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/clean.h"
#include "cli/json.h"
#include "cli/message.h"

bool doctor_works(const struct diagnosis *diagnosis)
{
    for (size_t i = 0; i < diagnosis->count; i++) {
        if (diagnosis->list[i].verdict == VERDICT_FAILED)
            return false;
    }
    return true;
}

static void print_check(const struct check *check, const char *name)
{
    printf("%-8s %-14s ", verdict_names[check->verdict], name);
    put_clean(check->found);
    putchar('\n');
    for (size_t i = 0; i < check->remedy_count; i++)
        printf("         %s%s:\n             %s\n", i == 0 ? "-> " : "or ",
               check->remedies[i].where, check->remedies[i].line);
}

static void print_patient(const struct patient *patient)
{
    const struct unreached_list *tls = &patient->process.tls;
    char name[24];

    snprintf(name, sizeof(name), "process %d", (int)patient->process.pid);
    print_check(&patient->check, name);
    for (size_t i = 0; i < tls->count; i++) {
        printf("         cannot be reached: %s, in ", tls->list[i].what);
        put_clean(tls->list[i].mapping->name);
        putchar('\n');
    }
}

size_t doctor_count(const struct diagnosis *diagnosis, enum verdict verdict)
{
    size_t count = 0;

    for (size_t i = 0; i < diagnosis->count; i++)
        count += diagnosis->list[i].verdict == verdict;
    return count;
}

static void print_conclusion(const struct diagnosis *diagnosis)
{
    size_t open = doctor_count(diagnosis, VERDICT_WARNING);

    if (!doctor_works(diagnosis))
        puts("secret memory does not work: see what failed above");
    else if (!diagnosis->against_root)
        puts("secret memory works");
    else if (open == 0)
        puts("root has none of these ways to secret memory");
    else
        printf("root has %zu %s to secret memory\n", open, open == 1 ? "way" : "ways");
}

bool doctor_print_text(const struct diagnosis *diagnosis, const struct patient *patients,
                       size_t count)
{
    size_t unknown = doctor_count(diagnosis, VERDICT_UNKNOWN);

    for (size_t i = 0; i < diagnosis->count; i++)
        print_check(&diagnosis->list[i], diagnosis->list[i].name);
    for (size_t i = 0; i < count; i++)
        print_patient(&patients[i]);
    if (unknown > 0)
        printf("%zu %s cannot be known by user %u%s\n", unknown,
               unknown == 1 ? "check" : "checks", (unsigned)geteuid(),
               geteuid() == 0 ? ", here" : "; root may be able to find out more");
    print_conclusion(diagnosis);
    return output_written();
}

static json_t *remedies_json(const struct check *check)
{
    json_t *list = json_array();

    for (size_t i = 0; i < check->remedy_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "where", check->remedies[i].where,
                                              "line", check->remedies[i].line));
    return list;
}

static json_t *check_json(const struct check *check)
{
    return json_pack("{s:s, s:s, s:o, s:o}", "check", check->name, "verdict",
                     verdict_names[check->verdict], "found", json_text(check->found),
                     "remedies", remedies_json(check));
}

static json_t *patient_json(const struct patient *patient)
{
    const struct unreached_list *tls = &patient->process.tls;
    json_t *object = check_json(&patient->check), *unreached = json_array();

    for (size_t i = 0; i < tls->count; i++)
        json_array_append_new(unreached, json_pack("{s:o, s:s}", "mapping",
                                                   json_text(tls->list[i].mapping->name),
                                                   "what", tls->list[i].what));
    json_object_set_new(object, "pid", json_integer(patient->process.pid));
    json_object_set_new(object, "name", json_text(patient->process.name));
    json_object_set_new(object, "state", json_string(state_names[patient->process.state]));
    json_object_set_new(object, "not_reached", unreached);
    return object;
}

bool doctor_print_json(const struct diagnosis *diagnosis, const struct patient *patients,
                       size_t count)
{
    json_t *checks = json_array(), *processes = json_array(), *object;

    for (size_t i = 0; i < diagnosis->count; i++)
        json_array_append_new(checks, check_json(&diagnosis->list[i]));
    for (size_t i = 0; i < count; i++)
        json_array_append_new(processes, patient_json(&patients[i]));
    object = json_pack("{s:i, s:s, s:b, s:i, s:o, s:o}", "schema", JSON_SCHEMA, "version",
                       SECRETSSL_VERSION, "works", doctor_works(diagnosis), "uid",
                       (int)geteuid(), "checks", checks, "processes", processes);
    if (diagnosis->against_root)
        json_object_set_new(object, "open",
                            json_integer((json_int_t)doctor_count(diagnosis, VERDICT_WARNING)));
    return json_print("doctor", object);
}
