/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl run: starts a command with the preload object and its settings. */
#include <errno.h>
#include <getopt.h>
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
#include "run/target.h"

/* Exit statuses as in env(1), nohup(1) and the shell. */
enum { OWN_FAILURE = 125, CANNOT_RUN = 126, NOT_FOUND = 127 };

static const uint64_t arena_least = UINT64_C(64) << 10;
static const uint64_t arena_most = UINT64_C(1) << 40;

static const char help_text[] =
    "Usage: secretssl run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "Runs COMMAND with all of OpenSSL's memory in secret memory.\n"
    "\n"
    "  --arena-size S   cap on secret memory for each process: 64K to 1T\n"
    "  --prefault S     secret memory that COMMAND itself makes present at its start\n"
    "  --require        end a process that cannot have secret memory (status 78), and do not\n"
    "                   start COMMAND if it cannot be protected (status 125)\n"
    "  --uncached MODE  off, prefer or require: uncached memory for plain key bytes\n"
    "  --route R        all, or keys: only what key-handling code allocates\n"
    "  --fork MODE      copy, or deny: withhold keys from forked children\n"
    "  --log WHERE      stderr, syslog, none or the absolute path of a file\n"
    "  --stats          print a summary when a process ends\n"
    "  --trace          print where each block that is live at the end comes from\n"
    "  --set NAME=VALUE any setting, as ZERO=0 for SECRETSSL_ZERO\n"
    "  --help, --version\n"
    "\n"
    "S is a number of bytes, or has the suffix K, M, G or T.\n"
    "What LD_PRELOAD already holds is kept, and the soft RLIMIT_MEMLOCK is raised to the\n"
    "hard one. Options left out leave the SECRETSSL_* environment as it is.\n"
    "\n"
    "A program that the dynamic linker preloads nothing into (static, set-id, with file\n"
    "capabilities, of musl, of 32 bits; of a script, its interpreter) gets a warning.\n"
    "\n"
    "Exit status: COMMAND's; 127 if it is not found, 126 if it cannot be run, 125 if\n"
    "'secretssl run' itself fails, or --require is given and COMMAND cannot be protected.\n";

static int set_variable(const char *name, const char *value)
{
    if (setenv(name, value, 1) == 0)
        return 0;
    say("run: cannot set %s: %s", name, strerror(errno));
    return OWN_FAILURE;
}

static int set_size(const char *option, const char *variable, const char *text, uint64_t least)
{
    uint64_t value;

    if (!parse_size(text, least, arena_most, &value)) {
        say("run: %s '%s' is not a size; give %s to 1T, in bytes or with a suffix K, M, G or T",
            option, text, least == 0 ? "0" : "64K");
        return OWN_FAILURE;
    }
    return set_variable(variable, text);
}

/*
 * Sets the prefault size for COMMAND, which keeps this process's ID, and not for the programs
 * that COMMAND starts.
 */
static int set_prefault(const char *value)
{
    char pid[24];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (set_variable("SECRETSSL_PREFAULT_PID", pid) != 0)
        return OWN_FAILURE;
    return set_size("--prefault", "SECRETSSL_PREFAULT", value, 0);
}

static int set_word(const char *option, const char *variable, const char *text,
                    const char *const *words, const char *accepted)
{
    if (!one_of(text, words)) {
        say("run: %s '%s' is not accepted; give %s", option, text, accepted);
        return OWN_FAILURE;
    }
    return set_variable(variable, text);
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
    struct target target;

    if (!target_look(command, preload, &target) || target.why_not == NULL)
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

static int run_main(const struct command *self, int argc, char **argv)
{
    static const char *const uncached_words[] = {"off", "prefer", "require", NULL};
    static const char *const route_words[] = {"all", "keys", NULL};
    static const char *const fork_words[] = {"copy", "deny", NULL};
    enum {
        ARENA_SIZE = 256,
        PREFAULT,
        REQUIRE,
        UNCACHED,
        ROUTE,
        FORK,
        LOG,
        STATS,
        TRACE,
        SET,
        HELP
    };
    static const struct option options[] = {
        {"arena-size", required_argument, NULL, ARENA_SIZE},
        {"prefault", required_argument, NULL, PREFAULT},
        {"require", no_argument, NULL, REQUIRE},
        {"uncached", required_argument, NULL, UNCACHED},
        {"route", required_argument, NULL, ROUTE},
        {"fork", required_argument, NULL, FORK},
        {"log", required_argument, NULL, LOG},
        {"stats", no_argument, NULL, STATS},
        {"trace", no_argument, NULL, TRACE},
        {"set", required_argument, NULL, SET},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    int status = 0;
    int answer;

    opterr = 0;
    while (status == 0 && (answer = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
        switch (answer) {
        case ARENA_SIZE:
            status = set_size("--arena-size", "SECRETSSL_ARENA_SIZE", optarg, arena_least);
            break;
        case PREFAULT:
            status = set_prefault(optarg);
            break;
        case REQUIRE:
            status = set_variable("SECRETSSL_REQUIRE", "1");
            break;
        case UNCACHED:
            status = set_word("--uncached", "SECRETSSL_UNCACHED", optarg, uncached_words,
                              "off, prefer or require");
            break;
        case ROUTE:
            status = set_word("--route", "SECRETSSL_ROUTE", optarg, route_words, "all or keys");
            break;
        case FORK:
            status = set_word("--fork", "SECRETSSL_FORK", optarg, fork_words, "copy or deny");
            break;
        case LOG:
            status = set_variable("SECRETSSL_LOG", optarg);
            break;
        case STATS:
            status = set_variable("SECRETSSL_STATS", "1");
            break;
        case TRACE:
            status = set_variable("SECRETSSL_TRACE", "1");
            break;
        case SET:
            status = set_setting(optarg);
            break;
        case 'h':
        case HELP:
            return print_help(self);
        default:
            return option_error(self, answer, argv);
        }
    }
    if (status != 0)
        return status;
    if (optind >= argc) {
        say("run: no command to run; see 'secretssl run --help'");
        return OWN_FAILURE;
    }
    status = add_preload(argv[optind]);
    if (status != 0)
        return status;
    raise_memlock();
    return execute(argv + optind);
}

const struct command command_run = {
    .name = "run",
    .summary = "run a command with OpenSSL's memory in secret memory",
    .help = help_text,
    .usage_status = OWN_FAILURE,
    .main = run_main,
};
