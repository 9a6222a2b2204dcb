/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl stat: figures of protected processes, read from outside. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "process/judgement.h"
#include "stat/report.h"

enum { ALL_PROTECTED = 0, SOME_NOT = 1, COULD_NOT_LOOK = 2 };

static const char help_text[] =
    "Usage: secretssl stat [--strict] [--json | --prometheus] [PID... | --all]\n"
    "Shows live figures of protected processes, which notice nothing of it.\n"
    "\n"
    "  --all         every process that is protected, or has TLS that is not (the default)\n"
    "  --json        one JSON object instead of lines of text\n"
    "  --prometheus  metrics, as node_exporter's textfile collector reads them\n"
    "  --strict      status 1 unless every process is fully protected, and says on stderr\n"
    "                which is not\n"
    "  --help, --version\n"
    "\n"
    "States: protected (its OpenSSL; 'not reached' names other TLS, which is not); degraded\n"
    "(some of it is not in secret memory); refusing (all of it is, and there was not enough:\n"
    "allocations failed, or children were given up); unused (libsecretssl is loaded,\n"
    "nothing to protect so far); unprotected (OpenSSL without libsecretssl); unreached (only "
    "TLS that\n"
    "libsecretssl cannot protect); no-tls; unknown; gone.\n"
    "Other users' processes need root.\n"
    "\n"
    "Exit status: 0 all of them are protected (or degraded, or refusing), 1 some process is "
    "not, else 2 if\n"
    "some could not be looked at; 2 as well if the arguments are wrong. With --strict 0 only "
    "if\n"
    "they are protected, nothing is degraded, refused or not reached, and all of it was "
    "seen.\n";

struct request {
    bool all, strict, json, prometheus;
    pid_t *pids;
    size_t count;
};

static bool stat_add(struct stat_result *result, pid_t pid, bool named, bool strict)
{
    struct process_state *more = reallocarray(result->list, result->count + 1, sizeof(*more));
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

static int stat_look(const struct request *request)
{
    struct stat_result result = {.all = request->all};
    bool good = true;

    if (request->all)
        good = add_all(&result);
    for (size_t i = 0; good && i < request->count; i++)
        good = stat_add(&result, request->pids[i], true, request->strict);
    if (good)
        good = request->json         ? stat_print_json(&result)
               : request->prometheus ? stat_print_prometheus(&result)
                                     : stat_print_text(&result);

    int status = !good             ? COULD_NOT_LOOK
                 : request->strict ? strict_status(&result)
                                   : status_of(&result);

    for (size_t i = 0; i < result.count; i++)
        process_state_free(&result.list[i]);
    free(result.list);
    return status;
}

/* Returns -1 to continue, else the exit status. */
static int stat_parse(const struct command *self, int argc, char **argv,
                      struct request *request)
{
    enum { ALL = 256, STRICT, JSON, PROMETHEUS, HELP };
    static const struct option options[] = {
        {"all", no_argument, NULL, ALL},   {"strict", no_argument, NULL, STRICT},
        {"json", no_argument, NULL, JSON}, {"prometheus", no_argument, NULL, PROMETHEUS},
        {"help", no_argument, NULL, HELP}, {0},
    };
    int answer;

    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (answer) {
        case ALL:
            request->all = true;
            break;
        case STRICT:
            request->strict = true;
            break;
        case JSON:
            request->json = true;
            break;
        case PROMETHEUS:
            request->prometheus = true;
            break;
        case 'h':
        case HELP:
            return print_help(self);
        default:
            return option_error(self, answer, argv);
        }
    }
    if (request->json && request->prometheus) {
        say("stat: --json and --prometheus exclude each other; give one of them");
        return COULD_NOT_LOOK;
    }
    if (request->all && optind < argc) {
        say("stat: --all and '%s': give process numbers, or --all", argv[optind]);
        return COULD_NOT_LOOK;
    }
    for (; optind < argc; optind++) {
        if (!parse_pid("stat", argv[optind], &request->pids[request->count++]))
            return COULD_NOT_LOOK;
    }
    if (request->count == 0)
        request->all = true;
    return -1;
}

static int stat_main(const struct command *self, int argc, char **argv)
{
    struct request request = {.pids = calloc((size_t)argc, sizeof(*request.pids))};
    int status = COULD_NOT_LOOK;

    if (request.pids == NULL)
        say("stat: out of memory");
    else
        status = stat_parse(self, argc, argv, &request);
    if (status == -1)
        status = stat_look(&request);
    free(request.pids);
    return status;
}

const struct command command_stat = {
    .name = "stat",
    .summary = "show live figures of protected processes",
    .help = help_text,
    .usage_status = COULD_NOT_LOOK,
    .main = stat_main,
};
