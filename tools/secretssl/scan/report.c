/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/message.h"
#include "secret/memory.h"

struct scan_report {
    json_t *root; /* NULL: text */
    json_t *processes;
    json_int_t copies;
};

static json_t *address(uint64_t value)
{
    return json_sprintf("0x%" PRIx64, value);
}

static json_t *keys_json(const struct key_parts *keys)
{
    json_t *list = json_array();

    for (size_t i = 0; i < keys->count; i++) {
        const struct key_part *part = &keys->parts[i];

        json_array_append_new(list, json_pack("{s:o, s:s, s:s}", "key", json_text(part->file),
                                              "type", part->type, "component", part->name));
    }
    return list;
}

struct scan_report *scan_report_begin(bool json, const struct key_parts *keys)
{
    struct scan_report *report = calloc(1, sizeof(*report));

    if (report != NULL && json) {
        report->processes = json_array();
        report->root = json_pack("{s:i, s:s, s:s, s:o, s:O}", "schema", JSON_SCHEMA, "version",
                                 SECRETSSL_VERSION, "scanner_memory", secret_memory_kind(),
                                 "components", keys_json(keys), "processes", report->processes);
    }
    if (report != NULL && (report->root != NULL || !json))
        return report;
    say("scan: out of memory");
    free(report);
    return NULL;
}

static json_t *copy_json(const struct process_map *map, const struct copy *copy)
{
    const struct mapping *mapping = process_map_find(map, copy->address);

    return json_pack("{s:o, s:o, s:I, s:o, s:s, s:s, s:s, s:I, s:I}", "address",
                     address(copy->address), "mapping", json_text(mapping->name), "offset",
                     (json_int_t)(copy->address - mapping->start), "key",
                     json_text(copy->part->file), "type", copy->part->type, "component",
                     copy->part->name, "encoding", encoding_name(copy->encoding), "size",
                     (json_int_t)copy->size, "of", (json_int_t)copy->of);
}

static json_t *blind_spots_json(const struct process_result *result, bool secret)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->blind_spot_count; i++) {
        const struct blind_spot *spot = &result->blind_spots[i];

        if (spot->secret == secret)
            json_array_append_new(list,
                                  json_pack("{s:o, s:o, s:I, s:s}", "address",
                                            address(spot->mapping->start), "mapping",
                                            json_text(spot->mapping->name), "size",
                                            (json_int_t)spot->size, "reason", spot->reason));
    }
    return list;
}

static json_t *finding_unreached_json(const struct process_result *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->unreached.count; i++) {
        const struct unreached *one = &result->unreached.list[i];

        json_array_append_new(list,
                              json_pack("{s:o, s:s}", "mapping", json_text(one->mapping->name),
                                        "what", one->what));
    }
    return list;
}

static bool add_json(struct scan_report *report, const struct process_result *result)
{
    json_t *copies = json_array();

    for (size_t i = 0; i < result->copy_count; i++)
        json_array_append_new(copies, copy_json(&result->map, &result->copies[i]));

    bool failed = result->failure[0] != '\0';
    json_t *process = json_pack(
        "{s:i, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "pid", (int)result->pid, "name",
        json_text(result->name), "copies", copies, "searched_bytes",
        (json_int_t)result->searched, "secret_bytes", (json_int_t)result->secret, "secret",
        blind_spots_json(result, true), "not_searched", blind_spots_json(result, false),
        "not_reached", finding_unreached_json(result), "error",
        failed ? json_text(result->failure) : json_null());

    report->copies += (json_int_t)result->copy_count;
    if (process != NULL && json_array_append_new(report->processes, process) == 0)
        return true;
    say("scan: out of memory");
    return false;
}

/* Returns the first word of a line: the process ID, or "kernel". */
static const char *subject(const struct process_result *result)
{
    static char text[16];

    if (result->pid == 0)
        return result->name;
    snprintf(text, sizeof(text), "%d", (int)result->pid);
    return text;
}

static void print_copy(const struct process_result *result, const struct copy *copy)
{
    const struct mapping *mapping = process_map_find(&result->map, copy->address);
    const char *unit = copy->encoding == PEM_TEXT ? "characters" : "bytes";

    printf("%s: 0x%" PRIx64 " %s+0x%" PRIx64 ": %s %s of %s, %s, ", subject(result),
           copy->address, mapping->name, copy->address - mapping->start, copy->part->type,
           copy->part->name, copy->part->file, encoding_name(copy->encoding));
    if (copy->size == copy->of)
        printf("%zu %s\n", copy->size, unit);
    else
        printf("%zu of %zu %s\n", copy->size, copy->of, unit);
}

/*
 * Returns true for the kernel's own pages, which every process has and which hold no data of
 * the process. Only --json lists these pages. No file has such a name.
 */
static bool is_clock(const struct mapping *mapping)
{
    return strncmp(mapping->name, "[vvar", 5) == 0 || strcmp(mapping->name, "[vsyscall]") == 0;
}

static bool finding_add_text(const struct process_result *result)
{
    for (size_t i = 0; i < result->copy_count; i++)
        print_copy(result, &result->copies[i]);
    for (size_t i = 0; i < result->blind_spot_count; i++) {
        const struct blind_spot *spot = &result->blind_spots[i];

        if (is_clock(spot->mapping))
            continue;
        printf("%s: 0x%" PRIx64 " %s: %s%" PRIu64 " bytes%s%s\n", subject(result),
               spot->mapping->start, spot->mapping->name,
               spot->secret ? "secret, " : "not searched, ", spot->size,
               spot->secret ? "" : ": ", spot->secret ? "" : spot->reason);
    }
    for (size_t i = 0; i < result->unreached.count; i++)
        printf("%s: not reached by libsecretssl: %s, in %s\n", subject(result),
               result->unreached.list[i].what, result->unreached.list[i].mapping->name);
    if (result->map.count > 0 && result->pid == 0)
        printf("kernel: %zu %s, %" PRIu64 " bytes searched%s\n", result->copy_count,
               result->copy_count == 1 ? "copy" : "copies", result->searched,
               result->failure[0] != '\0' ? ", not to the end" : "");
    else if (result->map.count > 0)
        printf("%d (%s): %zu %s outside secret memory, %" PRIu64
               " bytes of secret memory, %" PRIu64 " bytes searched%s\n",
               (int)result->pid, result->name, result->copy_count,
               result->copy_count == 1 ? "copy" : "copies", result->secret, result->searched,
               result->failure[0] != '\0' ? ", not to the end" : "");
    return output_written();
}

bool scan_report_add(struct scan_report *report, const struct process_result *result)
{
    return report->root != NULL ? add_json(report, result) : finding_add_text(result);
}

bool scan_report_end(struct scan_report *report)
{
    bool good = true;

    if (report->root != NULL) {
        good = json_object_set_new(report->root, "copies", json_integer(report->copies)) == 0 &&
               json_dumpf(report->root, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
        good = output_written() && good;
        json_decref(report->processes);
        json_decref(report->root);
    }
    free(report);
    return good;
}
