/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl doctor: tests whether this machine can protect secrets, and finds the obstacles. */
#include <getopt.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "doctor/report.h"

enum { WORKS = 0, DOES_NOT = 1, USAGE = 2 };

static const char help_text[] =
    "Usage: secretssl doctor [--json] [PID...]\n"
    "Tries out whether this machine can protect secrets, and says what is to be changed.\n"
    "\n"
    "  PID            also say whether this process is protected, and why not\n"
    "  --json         one JSON object instead of lines of text\n"
    "  --help, --version\n"
    "\n"
    "Each check is ok, a note, a warning (it works, but not well, or not for everybody),\n"
    "failed, or unknown (root may know more). Below each that is not well is the line to\n"
    "change, and where. It holds for the user who runs it, and below the limits and filters\n"
    "of this shell: for a service, run it as the service's user\n"
    "(systemd-run --pipe -p User=NAME secretssl doctor).\n"
    "\n"
    "Exit status: 0 secret memory works (and the processes are protected), 1 not (nor are "
    "those\n"
    "that are degraded, or have nothing to protect), 2 a process could not be looked at, or "
    "the\n"
    "arguments are wrong.\n";

struct request {
    bool json, preloaded;
    struct patient *patients;
    size_t count;
};

/* The checks in order. Later checks use facts that earlier checks learn. */
static void (*const checks[])(struct diagnosis *) = {
    check_system_call, check_secret_memory, check_unreadable,  check_fork,
    check_memlock,     check_limits,        check_cgroup,      check_container,
    check_preload,     check_patches,       check_hibernation, check_core_dumps,
};

static int examine(const struct request *request)
{
    static struct diagnosis diagnosis;
    int status;
    bool good;

    raise_memlock_limit();
    check_children(&diagnosis);
    for (size_t i = 0; diagnosis.facts.can_try && i < sizeof(checks) / sizeof(checks[0]); i++)
        checks[i](&diagnosis);
    status = doctor_works(&diagnosis) ? WORKS : DOES_NOT;
    for (size_t i = 0; i < request->count; i++) {
        struct patient *patient = &request->patients[i];

        process_state_read(patient->process.pid, &patient->process);
        patient_examine(patient, &diagnosis.facts);
        if (patient->check.verdict == VERDICT_UNKNOWN) {
            say("doctor: process %d: %s", (int)patient->process.pid, patient->process.reason);
            status = status == WORKS ? USAGE : status;
        } else if (patient->process.state != STATE_PROTECTED) {
            status = DOES_NOT; /* As in stat, also for a process with nothing to protect. */
        }
    }
    good = request->json ? doctor_print_json(&diagnosis, request->patients, request->count)
                         : doctor_print_text(&diagnosis, request->patients, request->count);
    for (size_t i = 0; i < request->count; i++)
        process_state_free(&request->patients[i].process);
    return good ? status : USAGE;
}

/* Returns -1 to continue, else the exit status. */
static int doctor_parse(const struct command *self, int argc, char **argv,
                        struct request *request)
{
    enum { JSON = 256, PRELOADED, HELP };
    static const struct option options[] = {
        {"json", no_argument, NULL, JSON},
        /* For this program's own child; see preload.c. */
        {"preloaded", no_argument, NULL, PRELOADED},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    int answer;

    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (answer) {
        case JSON:
            request->json = true;
            break;
        case PRELOADED:
            request->preloaded = true;
            break;
        case 'h':
        case HELP:
            return print_help(self);
        default:
            return option_error(self, answer, argv);
        }
    }
    for (; optind < argc; optind++) {
        if (!parse_pid("doctor", argv[optind],
                       &request->patients[request->count++].process.pid))
            return USAGE;
    }
    return request->preloaded ? preloaded_main() : -1;
}

static int doctor_main(const struct command *self, int argc, char **argv)
{
    struct request request = {.patients = calloc((size_t)argc, sizeof(*request.patients))};
    int status = USAGE;

    if (request.patients == NULL)
        say("doctor: out of memory");
    else
        status = doctor_parse(self, argc, argv, &request);
    if (status == -1)
        status = examine(&request);
    free(request.patients);
    return status;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "say whether this machine can protect secrets, and what to change",
    .help = help_text,
    .usage_status = USAGE,
    .main = doctor_main,
};
