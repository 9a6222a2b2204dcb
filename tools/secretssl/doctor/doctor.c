/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl doctor: tests whether this machine can protect secrets, and finds the obstacles. */
#include <errno.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "doctor/report.h"
#include "process/selection.h"

enum { WORKS = 0, DOES_NOT = 1, USAGE = 2 };

struct request {
    bool json, preloaded, against_root;
    struct selection selection;
};

/* The checks in order. Later checks use facts that earlier checks learn. */
static void (*const checks[])(struct diagnosis *) = {
    check_system_call, check_secret_memory, check_unreadable,  check_fork,       check_memlock,
    check_limits,      check_cgroup,        check_container,   check_preload,    check_sealing,
    check_exponents,   check_patches,       check_hibernation, check_core_dumps,
};

/* What must hold before it means anything that a way is closed. */
static void (*const first_checks[])(struct diagnosis *) = {
    check_system_call,
    check_secret_memory,
    check_unreadable,
    check_root_ways,
};

static void run_checks(struct diagnosis *diagnosis)
{
    void (*const *list)(struct diagnosis *) = diagnosis->against_root ? first_checks : checks;
    size_t count = diagnosis->against_root ? sizeof(first_checks) / sizeof(first_checks[0])
                                           : sizeof(checks) / sizeof(checks[0]);

    check_children(diagnosis);
    for (size_t i = 0; diagnosis->facts.can_try && i < count; i++)
        list[i](diagnosis);
}

/* Against root a way that is open counts like a check that failed. */
static int doctor_status(const struct diagnosis *diagnosis)
{
    if (!doctor_works(diagnosis))
        return DOES_NOT;
    if (!diagnosis->against_root)
        return WORKS;
    if (doctor_count(diagnosis, VERDICT_WARNING) > 0)
        return DOES_NOT;
    return doctor_count(diagnosis, VERDICT_UNKNOWN) > 0 ? USAGE : WORKS;
}

static bool has_nothing_to_protect(const struct patient *patient)
{
    enum protection_state state = patient->process.state;

    return state == STATE_UNUSED || state == STATE_NO_TLS || state == STATE_GONE;
}

/* Those that were examined */
struct patient_list {
    struct patient *list;
    size_t count;
};

static bool is_protected_patient(pid_t pid, const void *argument)
{
    const struct patient_list *patients = argument;

    for (size_t i = 0; i < patients->count; i++) {
        if (patients->list[i].process.pid == pid)
            return patients->list[i].process.state == STATE_PROTECTED;
    }
    return false;
}

/*
 * Examines one process. Returns the exit status of all so far. named: of several processes that
 * a name stands for, some may have nothing to protect, as in stat.
 */
static int examine_process(pid_t pid, bool named, const struct facts *facts, int status,
                           struct patient *patient)
{
    process_state_read(pid, &patient->process);
    patient_examine(patient, facts);
    if (named && has_nothing_to_protect(patient))
        return status;
    if (patient->check.verdict == VERDICT_UNKNOWN) {
        say("doctor: process %d: %s", (int)patient->process.pid, patient->process.reason);
        return status == WORKS ? USAGE : status;
    }
    return patient->process.state == STATE_PROTECTED ? status : DOES_NOT;
}

static int examine_found(const struct request *request, struct diagnosis *diagnosis,
                         const struct found_list *found)
{
    struct patient_list patients = {.list = calloc(found->count + 1, sizeof(struct patient))};
    int status = doctor_status(diagnosis);
    bool good;

    if (patients.list == NULL) {
        say("doctor: out of memory");
        return USAGE;
    }
    for (size_t i = 0; i < found->count; i++) {
        if (found_is_first(found, i))
            status =
                examine_process(found->list[i].pid, found_has_names_only(found, i),
                                &diagnosis->facts, status, &patients.list[patients.count++]);
    }
    if (selection_name_without(&request->selection, found, is_protected_patient, &patients))
        status = DOES_NOT;
    if (selection_say_missing(&request->selection, "doctor", found) > 0 && status == WORKS)
        status = USAGE;
    good = request->json ? doctor_print_json(diagnosis, patients.list, patients.count)
                         : doctor_print_text(diagnosis, patients.list, patients.count);
    for (size_t i = 0; i < patients.count; i++)
        process_state_free(&patients.list[i].process);
    free(patients.list);
    return good ? status : USAGE;
}

static int examine(const struct request *request)
{
    static struct diagnosis diagnosis;
    struct found_list found = {NULL, 0};
    int status = USAGE;

    raise_memlock_limit();
    diagnosis.against_root = request->against_root;
    run_checks(&diagnosis);
    if (selection_find(&request->selection, "doctor", &found))
        status = examine_found(request, &diagnosis, &found);
    found_list_free(&found);
    return status;
}

enum { JSON = 256, PRELOADED, AGAINST_ROOT };

static error_t doctor_option(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case JSON:
        request->json = true;
        return 0;
    case AGAINST_ROOT:
        request->against_root = true;
        return 0;
    case PRELOADED:
        request->preloaded = true;
        return 0;
    case ARGP_KEY_ARG:
        return selection_add(&request->selection, "doctor", argument) ? 0 : EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int doctor_main(const struct command *self, int argc, char **argv)
{
    struct request request = {.json = false};
    int status = USAGE;

    if (options_parse(self, argc, argv, 0, &request))
        status = request.preloaded ? preloaded_main() : examine(&request);
    selection_free(&request.selection);
    return status;
}

static const struct argp_option options[] = {
    {"json", JSON, NULL, 0, "Print one JSON object instead of lines of text", 0},
    {"against-root", AGAINST_ROOT, NULL, 0,
     "Say which ways to secret memory root still has on this machine", 0},
    /* For this program's own child; see preload.c. */
    {"preloaded", PRELOADED, NULL, OPTION_HIDDEN, NULL, 0},
    {0},
};

const struct command command_doctor = {
    .name = "doctor",
    .summary = "Say whether this machine can protect secrets, and what to change",
    .parser =
        {
            .options = options,
            .parser = doctor_option,
            .args_doc = "[PID|PROGRAM|UNIT...]",
            .doc =
                "Tests whether this machine can protect secrets, and says what to change. "
                "With processes, also says whether these are protected, and if not, why.\v"
                "Each check is ok, a note, a warning (protection works, but less well than it "
                "could, or not for everybody), failed, or unknown (root may learn more). Below "
                "each check that is not ok stands the line to change, and where it belongs.\n\n"
                "The result holds for the user who runs the doctor, below the limits and "
                "filters of this shell. For a service, run the doctor as the service's user: "
                "systemd-run --pipe -p User=NAME secretssl doctor\n\n"
                "With --against-root, a warning is a way to secret memory that is open to "
                "root, and the line below it closes the way. What root may do by restarting a "
                "service without protection, or by reading the key's file, is not looked "
                "at.\n\n"
                "Exit status: 0 if secret memory works and each given process is protected; 1 "
                "if not, also for a process that is degraded or has nothing to protect, and "
                "with --against-root if a way is open; 2 if a process, or a way, could not be "
                "inspected, or the arguments are wrong.",
            .children = options_help,
        },
    .usage_status = USAGE,
    .main = doctor_main,
};
