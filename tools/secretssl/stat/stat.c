/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl stat: figures of protected processes, read from outside. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "process/judgement.h"
#include "process/list.h"
#include "stat/report.h"

enum { ALL_PROTECTED = 0, SOME_NOT = 1, COULD_NOT_LOOK = 2 };

enum { WAIT_MOST = 600 };

struct request {
    bool all, strict, json, prometheus;
    unsigned wait; /* seconds */
    pid_t *pids;
    size_t count;
};

static bool stat_add(struct stat_result *result, pid_t pid, bool named, bool strict)
{
    struct process_state *more = list_grown(result->list, result->count, sizeof(*more));
    struct process_state *process;

    if (more == NULL) {
        say("stat: out of memory");
        return false;
    }
    result->list = more;
    process = &more[result->count];
    process_state_read(pid, process);
    result->states[process->state]++;
    if (named && !strict && process->state >= STATE_UNKNOWN)
        say("stat: process %d: %s", (int)pid, process->reason);
    /* With --all, lists only processes that have to do with TLS, and no ended processes. */
    if (named || process->state < STATE_NO_TLS || process->stats.count > 0 ||
        process->stats.other_version != 0)
        result->count++;
    else
        process_state_free(process);
    return true;
}

static int is_number(const struct dirent *entry)
{
    return entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
}

struct file {
    uint64_t inode;
    unsigned major, minor;
};

/* Identifies the file without a request to its file system, which may never answer (FUSE). */
static bool program_of(const char *process, struct file *file)
{
    char path[32];
    struct statx status;

    snprintf(path, sizeof(path), "/proc/%.16s/exe", process);
    if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &status) != 0)
        return false;
    *file = (struct file){status.stx_ino, status.stx_dev_major, status.stx_dev_minor};
    return true;
}

/* Compares the files, because any process can have any name. */
static bool runs_this_tool(const char *process)
{
    struct file own, its;

    return program_of("self", &own) && program_of(process, &its) && own.inode == its.inode &&
           own.major == its.major && own.minor == its.minor;
}

static bool add_all(struct stat_result *result)
{
    struct dirent **entries;
    int count = scandir("/proc", &entries, is_number, versionsort);
    bool good = count > 0;

    if (count <= 0)
        say("stat: no processes in /proc: %s; mount it", count < 0 ? strerror(errno) : "empty");
    for (int i = 0; i < count; i++) {
        pid_t pid = (pid_t)strtol(entries[i]->d_name, NULL, 10);

        /*
         * Skips this process and other runs of this tool, because their libcrypto holds no
         * application's keys.
         */
        if (good && pid != getpid() && !runs_this_tool(entries[i]->d_name))
            good = stat_add(result, pid, false, false);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    if (good && result->states[STATE_UNKNOWN] > 0)
        say("stat: %zu processes could not be looked at; %s", result->states[STATE_UNKNOWN],
            privilege_hint());
    return good;
}

static int status_of(const struct stat_result *result)
{
    const size_t *states = result->states;

    if (states[STATE_UNPROTECTED] + states[STATE_UNREACHED] > 0 ||
        (!result->all && states[STATE_NO_TLS] + states[STATE_UNUSED] > 0))
        return SOME_NOT;
    if (states[STATE_UNKNOWN] > 0 || (!result->all && states[STATE_GONE] > 0))
        return COULD_NOT_LOOK;
    return ALL_PROTECTED;
}

/* With --all, processes without secrets so far do not count. */
static bool counts(const struct stat_result *result, const struct process_state *process)
{
    return !result->all || (process->state != STATE_UNUSED && process->state != STATE_NO_TLS);
}

static int strict_status(const struct stat_result *result)
{
    int status = result->all && result->states[STATE_UNKNOWN] > 0 ? SOME_NOT : ALL_PROTECTED;
    const char *missing;

    for (size_t i = 0; i < result->count; i++) {
        const struct process_state *process = &result->list[i];

        if (!counts(result, process) || judgement_is_whole(process, &missing))
            continue;
        status = SOME_NOT;
        say("stat: process %d is not fully protected (%s): %s", (int)process->pid,
            state_names[process->state], missing);
    }
    return status;
}

static void stat_free(struct stat_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        process_state_free(&result->list[i]);
    free(result->list);
}

static bool stat_read(const struct request *request, struct stat_result *result)
{
    bool good = true;

    *result = (struct stat_result){.all = request->all};
    if (request->all)
        good = add_all(result);
    for (size_t i = 0; good && i < request->count; i++)
        good = stat_add(result, request->pids[i], true, request->strict);
    return good;
}

/* Returns true if waiting can help: no process has ended, and some are not protected yet. */
static bool worth_waiting(const struct stat_result *result, bool strict)
{
    bool missing_some = false;
    const char *missing;

    for (size_t i = 0; i < result->count; i++) {
        if (result->list[i].state == STATE_GONE)
            return false;
        missing_some |= strict ? !judgement_is_whole(&result->list[i], &missing)
                               : result->list[i].state > STATE_REFUSING;
    }
    return missing_some;
}

static int stat_look(const struct request *request)
{
    struct stat_result result;
    bool good = stat_read(request, &result);

    for (unsigned tenths = 0;
         good && tenths < 10 * request->wait && worth_waiting(&result, request->strict);
         tenths++) {
        stat_free(&result);
        usleep(100000);
        good = stat_read(request, &result);
    }
    if (good)
        good = request->json         ? stat_print_json(&result)
               : request->prometheus ? stat_print_prometheus(&result)
                                     : stat_print_text(&result);

    int status = !good             ? COULD_NOT_LOOK
                 : request->strict ? strict_status(&result)
                                   : status_of(&result);

    stat_free(&result);
    return status;
}

enum { ALL = 256, STRICT, WAIT, JSON, PROMETHEUS };

static error_t set_wait(struct request *request, const char *text)
{
    uint64_t seconds;

    if (!parse_size(text, 1, WAIT_MOST, &seconds)) {
        say("stat: --wait '%s' is not a time; give 1 to %d, in seconds", text, WAIT_MOST);
        return EINVAL;
    }
    request->wait = (unsigned)seconds;
    return 0;
}

static error_t check_request(struct request *request)
{
    request->all = request->count == 0;
    if (request->json && request->prometheus) {
        say("stat: --json and --prometheus exclude each other; give one of them");
        return EINVAL;
    }
    if (request->wait > 0 && request->all) {
        say("stat: --wait is for process numbers; give some, or leave it out");
        return EINVAL;
    }
    return 0;
}

static error_t stat_option(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case ALL:
        request->all = true;
        return 0;
    case STRICT:
        request->strict = true;
        return 0;
    case WAIT:
        return set_wait(request, argument);
    case JSON:
        request->json = true;
        return 0;
    case PROMETHEUS:
        request->prometheus = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!request->all)
            return parse_pid("stat", argument, &request->pids[request->count++]) ? 0 : EINVAL;
        say("stat: --all and '%s': give process numbers, or --all", argument);
        return EINVAL;
    case ARGP_KEY_END:
        return check_request(request);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int stat_main(const struct command *self, int argc, char **argv)
{
    struct request request = {.pids = calloc((size_t)argc, sizeof(*request.pids))};
    int status = COULD_NOT_LOOK;

    if (request.pids == NULL)
        say("stat: out of memory");
    else if (options_parse(self, argc, argv, 0, &request))
        status = stat_look(&request);
    free(request.pids);
    return status;
}

static const struct argp_option options[] = {
    {"all", ALL, NULL, 0,
     "Show every process that is protected, or has TLS that is not (the default)", 0},
    {"json", JSON, NULL, 0, "Print one JSON object instead of lines of text", 0},
    {"prometheus", PROMETHEUS, NULL, 0,
     "Print metrics, as node_exporter's textfile collector reads them", 0},
    {"strict", STRICT, NULL, 0,
     "Exit with status 1 unless every process is fully protected, and name on stderr each "
     "that is not",
     0},
    {"wait", WAIT, "SECONDS", 0,
     "Look again until every given process is protected, with --strict fully, for at most "
     "this time",
     0},
    {0},
};

const struct command command_stat = {
    .name = "stat",
    .summary = "Show live figures of protected processes",
    .parser =
        {
            .options = options,
            .parser = stat_option,
            .args_doc = "[PID...]",
            .doc =
                "Shows live figures of protected processes, read from outside: the processes "
                "are not disturbed.\v"
                "States:\n"
                "  protected    all of OpenSSL's memory is secret; 'not reached' names other "
                "TLS libraries, which are not protected\n"
                "  degraded     some of the memory is not secret\n"
                "  refusing     all of the memory is secret, and there was too little: "
                "allocations failed, or children were given up\n"
                "  unused       libsecretssl is loaded and has had nothing to protect so far\n"
                "  unprotected  OpenSSL without libsecretssl\n"
                "  unreached    only TLS libraries that libsecretssl cannot protect\n"
                "  no-tls, unknown, gone\n\n"
                "Processes of other users need root.\n\n"
                "Exit status: 0 if all processes are protected, degraded or refusing; else 1 "
                "if some process is not; else 2 if some process could not be inspected. Wrong "
                "arguments are 2 as well. With --strict, 0 only if all processes were "
                "inspected and are protected, and nothing is degraded, refused or not "
                "reached.",
            .children = options_help,
        },
    .usage_status = COULD_NOT_LOOK,
    .main = stat_main,
};
