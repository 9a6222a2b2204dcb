/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `secretssl stat`, `doctor` and `scan` on a process, and on a kernel's memory, that lies about
 * everything. An input is a list of records: a byte that names a file (enum fake_file) or a
 * kind of memory, two bytes of length, and the contents; memory begins with six bytes of
 * address.
 */
#include "doctor/check.h"
#include "doctor/report.h"
#include "fake_files.h"
#include "process/known_files.h"
#include "scan/kernel.h"
#include "scan/report.h"
#include "stat/report.h"
#include <ctype.h>
#include <jansson.h>
#include <string.h>

enum record { MEMORY = FAKE_FILES, SECRET_MEMORY, OLD_KERNEL, RECORDS };

void __wrap_say(const char *format, ...);

static struct searcher *searcher;
static struct key_parts keys;
static FILE *real_stdout, *output;
static char *text;
static size_t text_size;

/* Messages go to stderr, and have no place here. */
void __wrap_say(const char *format, ...)
{
    (void)format;
}

static void begin_output(void)
{
    output = stdout = open_memstream(&text, &text_size);
}

static void end_output(bool good)
{
    fclose(output);
    stdout = real_stdout;
    if (getenv("FUZZ_SHOW"))
        fputs(text, stderr);
    EXPECT(good, "no output");
}

/* Text has no character that moves a terminal's cursor, because the process chose the names. */
static void end_text(bool good)
{
    end_output(good);
    for (size_t i = 0; i < text_size; i++)
        EXPECT(text[i] == '\n' || !iscntrl((unsigned char)text[i]), "character %d in: %s",
               text[i], text);
    free(text);
}

static void end_json(bool good)
{
    json_error_t error;
    json_t *root;

    end_output(good);
    root = json_loads(text, 0, &error);
    EXPECT(root != NULL, "%s: %s", error.text, text);
    json_decref(root);
    free(text);
}

/* Each line is a comment or NAME{LABELS} NUMBER. */
static void end_prometheus(bool good)
{
    end_output(good);
    for (char *at = text, *end; at < text + text_size; at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + text_size - at));
        EXPECT(end != NULL && end > at, "no whole line: %s", at);
        EXPECT(*at == '#' || (strncmp(at, "secretssl_", 10) == 0 && isdigit((unsigned)end[-1])),
               "no metric: %s", at);
    }
    free(text);
}

static void show_state(struct process_state *process)
{
    struct stat_result result = {.list = process, .count = 1, .all = true};
    const struct table_form form = {.live = true, .columns = 80};

    result.states[process->state]++;
    begin_output();
    end_text(stat_print_text(&result));
    begin_output();
    end_json(stat_print_json(&result));
    begin_output();
    end_prometheus(stat_print_process_metrics(&result));
    begin_output();
    end_prometheus(stat_print_group_metrics(&result));
    begin_output();
    end_text(stat_print_table(&result, &form));
}

static void show_doctor(struct process_state *process)
{
    static struct diagnosis diagnosis;
    struct patient patient = {.process = *process};

    memset(&diagnosis, 0, sizeof(diagnosis));
    diagnosis.facts.secret_works = true;
    check_cgroup(&diagnosis);
    check_container(&diagnosis);
    check_core_dumps(&diagnosis);
    patient_examine(&patient, &diagnosis.facts);
    begin_output();
    end_text(doctor_print_text(&diagnosis, &patient, 1));
    begin_output();
    end_json(doctor_print_json(&diagnosis, &patient, 1));
}

static void show_result(struct process_result *result)
{
    for (int json = 0; json < 2; json++) {
        struct scan_report *report;

        begin_output();
        report = scan_report_begin(json, &keys);
        EXPECT(report != NULL && scan_report_add(report, result), "no report");
        if (json)
            end_json(scan_report_end(report));
        else
            end_text(scan_report_end(report));
    }
    process_result_free(result);
}

static void read_records(struct input *input)
{
    while (input->left > 0) {
        enum record record = input_byte(input) % RECORDS;
        size_t length = input_number(input, 2);
        const uint8_t *bytes = input->at;

        length = length < input->left ? length : input->left;
        input->at += length;
        input->left -= length;
        if (record < MEMORY) {
            fake_put((enum fake_file)record, bytes, length);
        } else if (record == OLD_KERNEL) {
            fake_old_kernel();
        } else if (length > 6) {
            struct input address = {bytes, 6};
            fake_memory(input_number(&address, 6), bytes + 6, length - 6,
                        record == SECRET_MEMORY);
        }
    }
}

/* The key that is searched for: bytes 1, 2, 3, … */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t bytes[32];
    static struct key_part part = {.file = "key.pem",
                                   .type = "X25519",
                                   .name = "private",
                                   .form = KEY_STRING,
                                   .size = sizeof(bytes),
                                   .bytes = bytes};

    (void)argc, (void)argv;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i + 1);
    keys = (struct key_parts){.parts = &part, .count = 1};
    searcher = searcher_make(&keys);
    real_stdout = stdout;
    return searcher == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int stop;
    static struct process_state process;
    struct process_result result;
    struct input input = {data, size};

    fake_begin();
    known_files_forget();
    read_records(&input);
    process_state_read(FAKE_PID, &process);
    show_state(&process);
    show_doctor(&process);
    process_state_free(&process);
    process_scan(FAKE_PID, searcher, &stop, &result);
    show_result(&result);
    kernel_scan(FAKE_CORE, searcher, &stop, &result);
    show_result(&result);
    return 0;
}
