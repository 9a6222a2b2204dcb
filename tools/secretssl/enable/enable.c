/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl enable: writes the drop-in of a service, and with --now sees that it protects. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/preload_path.h"
#include "enable/child.h"
#include "enable/obstacles.h"
#include "enable/open.h"
#include "enable/plan.h"
#include "enable/processes.h"
#include "enable/service.h"

enum { COUNT_MOST = 10000000 };

static const uint64_t memlock_least = UINT64_C(1) << 20, memlock_most = UINT64_C(1) << 40;

struct request {
    const char *unit;
    bool now, dry_run;
    struct wish wish;
    const char **keys;
    size_t key_count;
};

/* Searches the processes for the keys. Returns false after a message. */
static bool keys_absent(const struct request *request, const struct look *look)
{
    size_t most = 3 + 2 * request->key_count + look->count, count = 0;
    const char **argv = calloc(most, sizeof(*argv));
    char(*numbers)[16] = calloc(look->count + 1, sizeof(*numbers));
    char *output = NULL;
    int status = CHILD_FAILED;

    if (argv != NULL && numbers != NULL) {
        argv[count++] = "/proc/self/exe";
        argv[count++] = "scan";
        for (size_t i = 0; i < request->key_count; i++) {
            argv[count++] = "--key";
            argv[count++] = request->keys[i];
        }
        for (size_t i = 0; i < look->count; i++) {
            snprintf(numbers[i], sizeof(numbers[i]), "%d", (int)look->pids[i]);
            argv[count++] = numbers[i];
        }
        status = child_read(argv, NULL, STDOUT_FILENO, &output);
    }
    if (status != 0 && output != NULL)
        fputs(output, stderr);
    free(output);
    free(argv);
    free(numbers);
    if (status != 0)
        say("enable: %s",
            status == 1 ? "the key is in memory that is not secret, as the lines above show"
                        : "the processes could not be searched for the key");
    return status == 0;
}

/* Puts the drop-in back as it was, and removes the other file. */
static bool put_files_back(const struct opened *opened, struct plan *plan)
{
    bool env = nginx_env_undo(&plan->env);
    bool good = opened->before != NULL ? drop_in_write(opened->path, opened->before)
                                       : drop_in_remove(opened->path);

    if (!good)
        say("enable: %s cannot be put back: %s; remove it, and run 'systemctl daemon-reload'",
            opened->path, strerror(errno));
    return good && manager_reload("enable") && env;
}

/* state: of the service before it was restarted; NULL: it was not */
static int put_back(struct opened *opened, struct plan *plan, const struct service_state *state)
{
    bool good = put_files_back(opened, plan);

    if (state != NULL && !service_restore("enable", opened, state)) {
        say("enable: %s does not run as before; 'systemctl status %s' says why", opened->name,
            opened->name);
        good = false;
    }
    if (good)
        say("enable: %s is not protected; everything is as before", opened->name);
    return good ? UNIT_NOT : UNIT_CHANGED;
}

static int restart_and_look(const struct request *request, struct opened *opened,
                            struct plan *plan)
{
    const struct service_state state = service_state_of(&opened->unit);
    struct look look = {.count = 0};
    bool good;

    if (!service_do("restart", opened->name)) {
        service_say_failed(opened);
        return put_back(opened, plan, &state);
    }
    good = service_wait_protected(opened, &look) &&
           (request->key_count == 0 || keys_absent(request, &look)) && !interrupted();
    if (good)
        printf("%s: protected: %zu processes, %" PRIu64
               " KiB of secret memory, LimitMEMLOCK=%" PRIu64 "M\n",
               opened->name, look.count, look.secret >> 10, plan->memlock_mib);
    if (good && look.secret >> 20 > plan->memlock_mib / 2)
        say("enable: note: more than half of the limit is in use; a reload takes as much "
            "again: give a higher --memlock");
    if (good && look.other[0] != '\0')
        say("enable: note: %s, also in the processes of %s, is not reached", look.other,
            opened->name);
    look_free(&look);
    return good ? UNIT_DONE : put_back(opened, plan, &state);
}

/* Writes the files, and makes systemd read the drop-in. */
static int install(const struct request *request, struct opened *opened, struct plan *plan)
{
    const char *missing;

    interrupts_catch();
    if (!drop_in_write(opened->path, plan->text)) {
        say("enable: %s cannot be written: %s", opened->path, strerror(errno));
        return UNIT_NOT;
    }
    nginx_env_write(&plan->env);
    if (!manager_reload("enable") || !unit_again("enable", opened))
        return put_back(opened, plan, NULL);
    missing = plan_missing(plan, &opened->unit);
    if (missing != NULL) {
        say("enable: another drop-in of %s replaces %s=; 'systemctl cat %s' shows which",
            opened->name, missing, opened->name);
        return put_back(opened, plan, NULL);
    }
    if (interrupted()) {
        say("enable: interrupted");
        return put_back(opened, plan, NULL);
    }
    if (request->now)
        return restart_and_look(request, opened, plan);
    printf("%s: %s is written; 'systemctl restart %s' starts the protection, and 'secretssl "
           "status %s' shows it\n",
           opened->name, opened->path, opened->name, opened->name);
    return UNIT_DONE;
}

static void print_plan(const struct request *request, const struct opened *opened,
                       const struct plan *plan)
{
    printf("# %s\n", opened->path);
    if (request->wish.memlock_mib > 0)
        printf("# LimitMEMLOCK= is as --memlock gives it.\n");
    else
        printf("# LimitMEMLOCK= is for %u processes, %" PRIu64
               " connections and %u certificates.\n",
               plan->load.processes, plan->load.connections, plan->load.certificates);
    fputs(plan->text, stdout);
    if (*plan->env.path != '\0')
        printf("# %s\n%s", plan->env.path, nginx_env_text);
}

static int enable_opened(const struct request *request, struct opened *opened)
{
    char object[PRELOAD_PATH_ROOM];
    struct plan plan = {.text = NULL};
    struct look look;
    int status = UNIT_NOT;

    if (!unit_exists("enable", opened))
        return UNIT_USAGE;
    if (!drop_in_usable("enable", opened))
        return UNIT_NOT;
    if (!preload_find(object)) {
        say("enable: " PRELOAD " is in none of %s; build or install libsecretssl", object);
        return UNIT_NOT;
    }
    if (!look_at(unit_get(&opened->unit, "ControlGroup"), &look)) {
        say("enable: the processes of %s cannot be looked at; mount /proc", opened->name);
    } else if (obstacles_absent(opened, object, &look) &&
               plan_make(opened, &request->wish, object, &look, &plan)) {
        bool same = opened->before != NULL && strcmp(opened->before, plan.text) == 0 &&
                    (*plan.env.path == '\0' || plan.env.there);

        if (request->dry_run) {
            print_plan(request, opened, &plan);
            status = UNIT_DONE;
        } else if (same && look_is_good(&look) &&
                   (request->key_count == 0 || keys_absent(request, &look))) {
            nginx_env_write(&plan.env); /* Nginx may have stopped to read the file. */
            printf("%s: protected already\n", opened->name);
            status = UNIT_DONE;
        } else {
            status = install(request, opened, &plan);
        }
    }
    plan_free(&plan);
    look_free(&look);
    return status;
}

static bool parse_count(const char *option, const char *text, uint64_t *count)
{
    if (parse_size(text, 1, COUNT_MOST, count))
        return true;
    say("enable: %s '%s' is not a number; give 1 to %d", option, text, COUNT_MOST);
    return false;
}

static bool parse_memlock(const char *text, struct wish *wish)
{
    uint64_t size;

    if (!parse_size(text, memlock_least, memlock_most, &size)) {
        say("enable: --memlock '%s' is not a size; give 1M to 1T, in bytes or with a suffix K, "
            "M, G or T",
            text);
        return false;
    }
    wish->memlock_mib = (size + memlock_least - 1) / memlock_least;
    return true;
}

enum { NOW = 256, DRY_RUN, KEY, MEMLOCK, CONNECTION_COUNT, CERTIFICATE_COUNT };

/* A key that cannot be read is no reason to restart a service. */
static bool keys_readable(const struct request *request)
{
    for (size_t i = 0; i < request->key_count; i++) {
        if (access(request->keys[i], R_OK) == 0)
            continue;
        say("enable: --key '%s' cannot be read: %s; give the file of a private key",
            request->keys[i], strerror(errno));
        return false;
    }
    return true;
}

static error_t enable_check(const struct request *request)
{
    if (request->unit == NULL)
        return unit_missing("enable");
    if (request->now && request->dry_run)
        say("enable: --now and --dry-run exclude each other; give one of them");
    else if (request->key_count > 0 && !request->now)
        say("enable: --key is for --now, which looks at the processes; give both");
    else
        return keys_readable(request) ? 0 : EINVAL;
    return EINVAL;
}

static error_t enable_option(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;
    uint64_t count;

    switch (key) {
    case NOW:
        request->now = true;
        return 0;
    case DRY_RUN:
        request->dry_run = true;
        return 0;
    case KEY:
        request->keys[request->key_count++] = argument;
        return 0;
    case MEMLOCK:
        return parse_memlock(argument, &request->wish) ? 0 : EINVAL;
    case CONNECTION_COUNT:
        return parse_count("--connections", argument, &request->wish.connections) ? 0 : EINVAL;
    case CERTIFICATE_COUNT:
        if (!parse_count("--certificates", argument, &count))
            return EINVAL;
        request->wish.certificates = (unsigned)count;
        return 0;
    case ARGP_KEY_ARG:
        return unit_argument("enable", argument, &request->unit);
    case ARGP_KEY_END:
        return enable_check(request);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int enable_main(const struct command *self, int argc, char **argv)
{
    struct request request = {.keys = calloc((size_t)argc, sizeof(*request.keys))};
    struct opened opened = {.owner = DROP_IN_ABSENT};
    int status = UNIT_USAGE;

    if (request.keys == NULL)
        say("enable: out of memory");
    else if (options_parse(self, argc, argv, 0, &request) &&
             unit_open("enable", request.unit, !request.dry_run, &opened))
        status = enable_opened(&request, &opened);
    opened_free(&opened);
    free(request.keys);
    return status;
}

static const struct argp_option options[] = {
    {"now", NOW, NULL, 0,
     "Restart the service, look whether its processes are protected, and put everything back "
     "if they are not",
     0},
    {"key", KEY, "FILE", 0,
     "With --now: also search the processes for this private key; may be given several times",
     0},
    {"memlock", MEMLOCK, "S", 0, "LimitMEMLOCK=, 1M to 1T, instead of the formula's result", 0},
    {"connections", CONNECTION_COUNT, "N", 0,
     "Connections at one time, for the formula (as many as the server's configuration allows)",
     0},
    {"certificates", CERTIFICATE_COUNT, "N", 0,
     "Certificates, for the formula (those of the server's configuration)", 0},
    {"dry-run", DRY_RUN, NULL, 0, "Print the drop-in, and change nothing", 0},
    {0},
};

const struct command command_enable = {
    .name = "enable",
    .summary = "Protect a service of systemd",
    .parser =
        {
            .options = options,
            .parser = enable_option,
            .args_doc = "UNIT",
            .doc =
                "Writes a drop-in that starts the service with OpenSSL's memory in secret "
                "memory.\v"
                "UNIT is a service of the system, with or without '.service'. A drop-in of "
                "this name that this command did not write is not changed. Without --now "
                "the service is not restarted.\n\n"
                "Exit status: 0 if the drop-in is written, and with --now the service is "
                "protected; 1 if not, and everything is as before; 2 for wrong arguments, no "
                "such unit, missing rights, or no systemd; 3 if something "
                "could not be put back, which a message names.",
            .children = options_help,
        },
    .usage_status = UNIT_USAGE,
    .main = enable_main,
};
