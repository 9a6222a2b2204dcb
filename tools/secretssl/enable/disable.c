/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl disable: removes the drop-in that `enable` wrote. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "enable/nginx_env.h"
#include "enable/open.h"
#include "enable/service.h"

struct request {
    const char *unit;
    bool now;
};

/* Restarts a service that runs. If it does not come up without the drop-in, puts this back. */
static int restart_without(struct opened *opened, struct nginx_env *env)
{
    struct service_state state = service_state_of(&opened->unit);

    if (!state.active)
        return UNIT_DONE;
    if (service_restarts("disable", opened)) {
        printf("%s: runs without libsecretssl\n", opened->name);
        return UNIT_DONE;
    }
    say("disable: %s does not start without the drop-in, which is put back; 'journalctl "
        "--unit=%s' says why",
        opened->name, opened->name);
    if (nginx_env_put_back(env) && drop_in_write(opened->path, opened->before) &&
        manager_reload("disable") && service_restore("disable", opened, &state))
        return UNIT_NOT;
    say("disable: %s does not run as before; 'systemctl status %s' says why", opened->name,
        opened->name);
    return UNIT_CHANGED;
}

static int disable_opened(const struct request *request, struct opened *opened)
{
    struct nginx_env env;

    if (!drop_in_usable("disable", opened))
        return UNIT_NOT;
    /* An 'enable' that was killed may have left one file without the other. */
    if (!nginx_env_remove(opened->name, &env))
        return UNIT_NOT;
    if (*env.path != '\0')
        printf("%s: %s is removed%s\n", opened->name, env.path,
               unit_is_active(&opened->unit) && !request->now
                   ? "; a binary upgrade (USR2) ends the protection now"
                   : "");
    if (opened->owner == DROP_IN_ABSENT) {
        printf("%s: is not enabled\n", opened->name);
        return UNIT_DONE;
    }
    if (!drop_in_remove(opened->path)) {
        say("disable: %s cannot be removed: %s", opened->path, strerror(errno));
        return nginx_env_put_back(&env) ? UNIT_NOT : UNIT_CHANGED;
    }
    if (!manager_reload("disable"))
        return UNIT_CHANGED;
    printf("%s: %s is removed\n", opened->name, opened->path);
    if (request->now)
        return restart_without(opened, &env);
    if (unit_is_active(&opened->unit))
        printf("%s: 'systemctl restart %s' ends the protection\n", opened->name, opened->name);
    return UNIT_DONE;
}

enum { NOW = 256 };

static error_t disable_option(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case NOW:
        request->now = true;
        return 0;
    case ARGP_KEY_ARG:
        return unit_argument("disable", argument, &request->unit);
    case ARGP_KEY_NO_ARGS:
        return unit_missing("disable");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int disable_main(const struct command *self, int argc, char **argv)
{
    struct request request = {.unit = NULL};
    struct opened opened = {.owner = DROP_IN_ABSENT};
    int status = UNIT_USAGE;

    if (options_parse(self, argc, argv, 0, &request) &&
        unit_open("disable", request.unit, true, &opened))
        status = disable_opened(&request, &opened);
    opened_free(&opened);
    return status;
}

static const struct argp_option options[] = {
    {"now", NOW, NULL, 0, "Restart the service if it runs", 0},
    {0},
};

const struct command command_disable = {
    .name = "disable",
    .summary = "Take the protection of a service away",
    .parser =
        {
            .options = options,
            .parser = disable_option,
            .args_doc = "UNIT",
            .doc = "Removes the drop-in that 'secretssl enable' wrote.\v"
                   "A drop-in that 'secretssl enable' did not write is not changed.\n\n"
                   "Exit status: 0 if there is no drop-in, any more; 1 if there still is; 2 "
                   "for wrong arguments, missing rights, or no systemd; 3 if the service does "
                   "not run as before, which a message says.",
            .children = options_help,
        },
    .usage_status = UNIT_USAGE,
    .main = disable_main,
};
