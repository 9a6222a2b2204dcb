/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl status: shows whether a service is enabled, and whether it is protected. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "enable/open.h"
#include "enable/processes.h"

static const char *const owners[] = {
    [DROP_IN_ABSENT] = "not enabled: there is no",
    [DROP_IN_OURS] = "enabled by",
    [DROP_IN_FOREIGN] = "not enabled by 'secretssl enable', which did not write",
    [DROP_IN_UNKNOWN] = "unknown, because of",
};

static void print_processes(const struct look *look)
{
    printf("  %zu processes", look->count);
    for (int state = 0; state < STATES; state++) {
        if (look->states[state] > 0 && state != STATE_GONE)
            printf(", %zu %s", look->states[state], state_names[state]);
    }
    printf("; %" PRIu64 " KiB of secret memory\n", look->secret >> 10);
    if (look->bad != 0)
        printf("  process %d (%s) is not fully protected (%s): %s\n", (int)look->bad,
               look->bad_name, state_names[look->bad_state], look->reason);
}

static int status_print(const struct opened *opened)
{
    struct look look;
    bool good;

    if (!unit_exists("status", opened))
        return UNIT_USAGE;
    if (!look_at(unit_get(&opened->unit, "ControlGroup"), &look)) {
        say("status: the processes of %s cannot be looked at; mount /proc", opened->name);
        return UNIT_USAGE;
    }
    printf("%s: %s %s\n", opened->name, owners[opened->owner], opened->path);
    printf("  %s\n", unit_get(&opened->unit, "ActiveState"));
    if (look.count > 0)
        print_processes(&look);
    if (look.states[STATE_UNKNOWN] > 0)
        say("status: %zu processes could not be looked at; %s", look.states[STATE_UNKNOWN],
            privilege_hint());
    good = opened->owner == DROP_IN_OURS && look_is_good(&look);
    look_free(&look);
    return good ? UNIT_DONE : UNIT_NOT;
}

static error_t status_option(int key, char *argument, struct argp_state *state)
{
    const char **unit = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        return unit_argument("status", argument, unit);
    case ARGP_KEY_NO_ARGS:
        return unit_missing("status");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int status_main(const struct command *self, int argc, char **argv)
{
    const char *unit = NULL;
    struct opened opened = {.owner = DROP_IN_ABSENT};
    int status = UNIT_USAGE;

    if (options_parse(self, argc, argv, 0, &unit) && unit_open("status", unit, false, &opened))
        status = status_print(&opened);
    opened_free(&opened);
    return status;
}

const struct command command_status = {
    .name = "status",
    .summary = "Show whether a service is protected",
    .parser =
        {
            .parser = status_option,
            .args_doc = "UNIT",
            .doc = "Shows whether 'secretssl enable' protects the service, and the state of "
                   "its processes.\v"
                   "Exit status: 0 if the service is enabled, runs, and is fully protected; 1 "
                   "if not; 2 for wrong arguments, no such unit, or no systemd.",
            .children = options_help,
        },
    .usage_status = UNIT_USAGE,
    .main = status_main,
};
