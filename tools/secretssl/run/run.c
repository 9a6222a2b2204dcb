/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl run: starts a command with the preload object and its settings. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/preload_path.h"
#include "process/target.h"

/* Exit statuses as in env(1), nohup(1) and the shell. */
enum { OWN_FAILURE = 125, CANNOT_RUN = 126, NOT_FOUND = 127 };

static const uint64_t arena_most = UINT64_C(1) << 40;

static int set_variable(const char *name, const char *value)
{
    if (setenv(name, value, 1) == 0)
        return 0;
    say("run: cannot set %s: %s", name, strerror(errno));
    return OWN_FAILURE;
}

enum { ARENA_SIZE = 256, PREFAULT, REQUIRE, UNCACHED, ROUTE, FORK, LOG, STATS, TRACE, SET };

/* The options in the order of the keys above, with what they accept. */
static const struct run_setting {
    const char *option, *variable;
    const char *fixed;    /* the value, for an option without an argument */
    const char *words[4]; /* the values that are accepted */
    const char *accepted; /* the values as the message names them */
    uint64_t least;       /* of a size */
} settings[] = {
    {.option = "--arena-size",
     .variable = "SECRETSSL_ARENA_SIZE",
     .accepted = "64K to 1T",
     .least = UINT64_C(64) << 10},
    {.option = "--prefault", .variable = "SECRETSSL_PREFAULT", .accepted = "0 to 1T"},
    {.variable = "SECRETSSL_REQUIRE", .fixed = "1"},
    {.option = "--uncached",
     .variable = "SECRETSSL_UNCACHED",
     .words = {"off", "prefer", "require"},
     .accepted = "off, prefer or require"},
    {.option = "--route",
     .variable = "SECRETSSL_ROUTE",
     .words = {"all", "keys"},
     .accepted = "all or keys"},
    {.option = "--fork",
     .variable = "SECRETSSL_FORK",
     .words = {"copy", "deny"},
     .accepted = "copy or deny"},
    {.variable = "SECRETSSL_LOG"},
    {.variable = "SECRETSSL_STATS", .fixed = "1"},
    {.variable = "SECRETSSL_TRACE", .fixed = "1"},
};

static bool run_setting_takes(const struct run_setting *setting, const char *text)
{
    uint64_t size;

    if (setting->accepted == NULL)
        return true;
    if (setting->words[0] == NULL)
        return parse_size(text, setting->least, arena_most, &size);
    for (size_t i = 0; setting->words[i] != NULL; i++) {
        if (strcmp(text, setting->words[i]) == 0)
            return true;
    }
    return false;
}

static int run_setting_apply(const struct run_setting *setting, const char *text)
{
    if (setting->fixed != NULL)
        return set_variable(setting->variable, setting->fixed);
    if (run_setting_takes(setting, text))
        return set_variable(setting->variable, text);
    if (setting->words[0] == NULL)
        say("run: %s '%s' is not a size; give %s, in bytes or with a suffix K, M, G or T",
            setting->option, text, setting->accepted);
    else
        say("run: %s '%s' is not accepted; give %s", setting->option, text, setting->accepted);
    return OWN_FAILURE;
}

/*
 * Limits the prefault size to COMMAND, which keeps this process's ID. The programs that COMMAND
 * starts do not prefault.
 */
static int set_prefault_pid(void)
{
    char pid[24];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    return set_variable("SECRETSSL_PREFAULT_PID", pid);
}

/*
 * Sets a variable of the preload object, which refuses unknown settings. "FORK=deny" is
 * SECRETSSL_FORK=deny.
 */
static int set_setting(char *text)
{
    static const char prefix[] = "SECRETSSL_";
    char *value = strchr(text, '=');
    char name[64];

    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
        text += sizeof(prefix) - 1;
    if (value == NULL || value <= text || value - text > 40 ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != (size_t)(value - text)) {
        say("run: --set '%s' is not a setting; give NAME=VALUE, as ZERO=0 for SECRETSSL_ZERO",
            text);
        return OWN_FAILURE;
    }
    snprintf(name, sizeof(name), "%s%.*s", prefix, (int)(value - text), text);
    return set_variable(name, value + 1);
}

/*
 * Checks SECRETSSL_REQUIRE here, because no code of libsecretssl runs in a program that cannot
 * be protected.
 */
static int check_target(const char *command, const char *preload)
{
    const char *require = getenv("SECRETSSL_REQUIRE");
    bool required = require != NULL && strcmp(require, "1") == 0;
    struct target_user user = target_own_user();
    struct target target;

    if (!target_look(command, preload, &user, &target) || target.why_not == NULL)
        return 0;
    if (required)
        say("run: %s cannot be protected and was not started: %s", target.file, target.why_not);
    else
        say("run: %s cannot be protected: %s", target.file, target.why_not);
    return required ? OWN_FAILURE : 0;
}

static int add_preload(const char *command)
{
    char path[PRELOAD_PATH_ROOM];
    int status;

    if (!preload_find(path)) {
        say("run: " PRELOAD " is in none of %s; build or install libsecretssl", path);
        return OWN_FAILURE;
    }
    if (strpbrk(path, " :") != NULL) {
        say("run: LD_PRELOAD cannot name %s, which holds a blank or a colon; move it", path);
        return OWN_FAILURE;
    }

    status = check_target(command, path);
    if (status != 0)
        return status;

    char *list = preload_list(path);

    if (list == NULL) {
        say("run: out of memory");
        return OWN_FAILURE;
    }

    status = set_variable("LD_PRELOAD", list);
    free(list);
    return status;
}

static void raise_memlock(void)
{
    struct rlimit limit;

    /* Any process may raise its soft limit to the hard limit. */
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
            say("run: cannot raise the limit on locked memory: %s", strerror(errno));
    }
}

static int execute(char **command)
{
    execvp(command[0], command);

    int error = errno;

    if (error == EACCES && !target_exists(command[0]))
        error = ENOENT;
    if (error == ENOENT) {
        say("run: cannot find %s: %s; check the name, or give its path", command[0],
            strerror(error));
        return NOT_FOUND;
    }
    say("run: cannot run %s: %s; it must be a program you may execute", command[0],
        strerror(error));
    return CANNOT_RUN;
}

static error_t run_option(int key, char *argument, struct argp_state *state)
{
    char ***command = state->input;

    switch (key) {
    case ARENA_SIZE ... TRACE:
        if (key == PREFAULT && set_prefault_pid() != 0)
            return EINVAL;
        return run_setting_apply(&settings[key - ARENA_SIZE], argument) == 0 ? 0 : EINVAL;
    case SET:
        return set_setting(argument) == 0 ? 0 : EINVAL;
    case ARGP_KEY_ARG:
        *command = state->argv + state->next - 1;
        state->next = state->argc; /* The other arguments are COMMAND's. */
        return 0;
    case ARGP_KEY_NO_ARGS:
        say("run: no command to run; see 'secretssl run --help'");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_main(const struct command *self, int argc, char **argv)
{
    char **command = NULL;
    int status;

    if (!options_parse(self, argc, argv, ARGP_IN_ORDER, &command))
        return OWN_FAILURE;
    status = add_preload(command[0]);
    if (status != 0)
        return status;
    raise_memlock();
    return execute(command);
}

static const struct argp_option options[] = {
    {"arena-size", ARENA_SIZE, "S", 0, "Cap on secret memory for each process: 64K to 1T", 0},
    {"prefault", PREFAULT, "S", 0,
     "Secret memory that COMMAND itself makes resident at its start", 0},
    {"require", REQUIRE, NULL, 0,
     "End a process that cannot have secret memory (status 78), and do not start COMMAND if "
     "COMMAND cannot be protected (status 125)",
     0},
    {"uncached", UNCACHED, "MODE", 0,
     "off, prefer or require: uncached memory for plain key bytes", 0},
    {"route", ROUTE, "R", 0, "all, or keys: only memory that key-handling code allocates", 0},
    {"fork", FORK, "MODE", 0, "copy, or deny: withhold keys from forked children", 0},
    {"log", LOG, "WHERE", 0, "stderr, syslog, none or the absolute path of a file", 0},
    {"stats", STATS, NULL, 0, "Print a summary when a process ends", 0},
    {"trace", TRACE, NULL, 0, "Print where each block was allocated that is live at the end",
     0},
    {"set", SET, "NAME=VALUE", 0, "Any setting, as ZERO=0 for SECRETSSL_ZERO", 0},
    {0},
};

const struct command command_run = {
    .name = "run",
    .summary = "Run a command with OpenSSL's memory in secret memory",
    .parser =
        {
            .options = options,
            .parser = run_option,
            .args_doc = "[--] COMMAND [ARGUMENT]...",
            .doc =
                "Runs COMMAND with all of OpenSSL's memory in secret memory.\v"
                "S is a number of bytes, or has the suffix K, M, G or T. LD_PRELOAD keeps its "
                "other objects, and the soft RLIMIT_MEMLOCK is raised to the hard limit. "
                "SECRETSSL_ variables of the environment stay as they are, unless an option "
                "sets them.\n\n"
                "A warning names a program that the dynamic linker preloads nothing into: a "
                "program that is static, set-id, with file capabilities, of musl, or of 32 "
                "bits. For a script, the interpreter counts.\n\n"
                "Exit status: that of COMMAND; 127 if COMMAND is not found, 126 if it cannot "
                "be "
                "run, 125 if 'secretssl run' itself fails, or --require is given and COMMAND "
                "cannot be protected.",
            .children = options_help,
        },
    .usage_status = OWN_FAILURE,
    .main = run_main,
};
