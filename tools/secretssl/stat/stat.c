/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl stat: figures of protected processes, read from outside. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/clock.h"
#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/output_file.h"
#include "cli/terminal.h"
#include "process/selection.h"
#include "stat/look.h"
#include "stat/report.h"
#include "stat/watch.h"

enum { WAIT_MOST = 600, WATCH_USUAL = 2, WATCH_MOST = 3600 };

struct request {
    bool all, strict, json, prometheus, verbose, per_process;
    const char *output; /* the file to write; NULL: stdout */
    enum colour_choice colours;
    unsigned wait, watch; /* seconds */
    struct selection selection;
};

/* One process that is given by number is shown with all figures, several by one line each. */
static bool shows_all_figures(const struct request *request)
{
    return request->verbose ||
           (request->selection.count == 1 && request->selection.list[0].pid != 0);
}

/* Metrics of processes come and go with these: a server that forks makes any number of them. */
static bool shows_each_process(const struct request *request)
{
    return request->per_process ||
           (request->selection.count > 0 && !selection_has_names(&request->selection));
}

static bool print_result(const struct request *request, const struct stat_result *result)
{
    const struct table_form form = {.columns = terminal_size().columns};
    bool good;

    if (request->json)
        return stat_print_json(result);
    if (request->prometheus)
        return shows_each_process(request) ? stat_print_process_metrics(result)
                                           : stat_print_group_metrics(result);
    good =
        shows_all_figures(request) ? stat_print_text(result) : stat_print_table(result, &form);
    if (result->all)
        stat_print_sum(result, 0);
    return good && output_written();
}

/* A file that is there stays if this fails, so that its age shows the failure. */
static bool print_to_file(const struct request *request, const struct stat_result *result)
{
    struct output_file file;

    if (!output_file_begin(&file, "stat", request->output))
        return false;

    bool printed = print_result(request, result);

    return output_file_end(&file, printed) && printed;
}

/* Waits until the processes are as they should be, if that is asked for. */
static bool look_and_wait(const struct request *request, struct stat_result *result)
{
    double end = clock_seconds() + request->wait;
    bool good = stat_look(&request->selection, result);

    while (good && clock_seconds() < end &&
           stat_is_worth_waiting(result, &request->selection, request->strict)) {
        stat_free(result);
        usleep(100000);
        good = stat_look(&request->selection, result);
    }
    return good;
}

static int stat_once(const struct request *request)
{
    struct stat_result result;
    int status = COULD_NOT_LOOK;

    if (look_and_wait(request, &result)) {
        selection_say_missing(&request->selection, "stat", &result.found);
        if (!request->strict || result.all)
            stat_say_unknown(&result);
        status = stat_status(&result, &request->selection, request->strict);
        if (!(request->output != NULL ? print_to_file : print_result)(request, &result))
            status = COULD_NOT_LOOK;
    }
    stat_free(&result);
    return status;
}

enum { ALL = 256, STRICT, WAIT, WATCH, JSON, PROMETHEUS, PER_PROCESS, OUTPUT, COLOUR };

/* option: for the message. The value is kept if the text is NULL, as the option needs none. */
static error_t set_seconds(const char *option, const char *text, int most, unsigned *value)
{
    uint64_t seconds;

    if (text == NULL)
        return 0;
    if (!parse_size(text, 1, (uint64_t)most, &seconds)) {
        say("stat: %s '%s' is not a time; give 1 to %d, in seconds", option, text, most);
        return EINVAL;
    }
    *value = (unsigned)seconds;
    return 0;
}

static error_t set_colours(struct request *request, const char *text)
{
    if (colour_choice_parse(text, &request->colours))
        return 0;
    say("stat: --color '%s'; give auto, always or never", text);
    return EINVAL;
}

static error_t check_request(const struct request *request)
{
    const char *text = NULL;

    if (request->json && request->prometheus)
        text = "--json and --prometheus exclude each other; give one of them";
    else if (request->watch > 0 && (request->json || request->prometheus || request->verbose))
        text = "--watch shows a table; leave out --json, --prometheus and --verbose";
    else if (request->watch > 0 && (request->strict || request->wait > 0))
        text = "--watch goes on until it is ended; leave out --strict and --wait";
    else if (request->wait > 0 && request->selection.count == 0)
        text = "--wait is for processes that are named; give some, or leave it out";
    else if (request->per_process && !request->prometheus)
        text = "--per-process is for metrics; give --prometheus too, or leave it out";
    else if (request->output != NULL && !request->json && !request->prometheus)
        text = "--output is for programs that read; give --json or --prometheus too";
    else if (request->all && request->selection.count > 0)
        text = "--all means every process; give no other, or leave it out";
    if (text == NULL)
        return 0;
    say("stat: %s", text);
    return EINVAL;
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
        return set_seconds("--wait", argument, WAIT_MOST, &request->wait);
    case WATCH:
        request->watch = WATCH_USUAL;
        return set_seconds("--watch", argument, WATCH_MOST, &request->watch);
    case JSON:
        request->json = true;
        return 0;
    case PROMETHEUS:
        request->prometheus = true;
        return 0;
    case PER_PROCESS:
        request->per_process = true;
        return 0;
    case OUTPUT:
        request->output = argument;
        return 0;
    case COLOUR:
        return set_colours(request, argument);
    case 'v':
        request->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        return selection_add(&request->selection, "stat", argument) ? 0 : EINVAL;
    case ARGP_KEY_END:
        return check_request(request);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int stat_main(const struct command *self, int argc, char **argv)
{
    struct request request = {.colours = COLOUR_AUTO};
    int status = COULD_NOT_LOOK;

    if (options_parse(self, argc, argv, 0, &request)) {
        colour_use(request.colours);
        status = request.watch > 0 ? stat_watch(&request.selection, request.watch)
                                   : stat_once(&request);
    }
    selection_free(&request.selection);
    return status;
}

static const struct argp_option options[] = {
    {"all", ALL, NULL, 0,
     "Show every process that is protected, or has TLS that is not (the default)", 0},
    {"json", JSON, NULL, 0, "Print one JSON object instead of lines of text", 0},
    {"prometheus", PROMETHEUS, NULL, 0,
     "Print metrics of services and programs, as node_exporter's textfile collector reads them",
     0},
    {"per-process", PER_PROCESS, NULL, 0,
     "With --prometheus: metrics of each process, as if all were given by number", 0},
    {"output", OUTPUT, "FILE", 0, "Write to FILE, which readers see whole or not at all", 0},
    {"strict", STRICT, NULL, 0,
     "Exit with status 1 unless every process is fully protected, and name on stderr each "
     "that is not",
     0},
    {"verbose", 'v', NULL, 0, "Show all figures of each process instead of one line", 0},
    {"watch", WATCH, "SECONDS", OPTION_ARG_OPTIONAL,
     "Show the table again every SECONDS (2 if not given), until it is ended", 0},
    {"color", COLOUR, "WHEN", 0,
     "Colours: auto (the default: on a terminal, unless NO_COLOR is set), always or never", 0},
    {"wait", WAIT, "SECONDS", 0,
     "Look again until every named process is protected, with --strict fully, for at most "
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
            .args_doc = "[PID|PROGRAM|UNIT...]",
            .doc =
                "Shows live figures of protected processes, read from outside: the processes "
                "are not disturbed. A process is named by its number; all processes of a "
                "program or of a unit of systemd by its name (nginx, nginx.service). One "
                "process number: all of its figures. Otherwise one line for each process.\v"
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
