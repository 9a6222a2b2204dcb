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

#include "command.h"
#include "message.h"
#include "options.h"
#include "preload_path.h"

/* As env(1), nohup(1) and the shell have them. */
enum { OWN_FAILURE = 125, CANNOT_RUN = 126, NOT_FOUND = 127 };

static const uint64_t arena_least = UINT64_C(64) << 10;
static const uint64_t arena_most = UINT64_C(1) << 40;

static const char help_text[] =
    "Usage: secretssl run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "Runs COMMAND with all of OpenSSL's memory in secret memory.\n"
    "\n"
    "  --arena-size S   cap on secret memory for each process: 64K to 1T\n"
    "  --prefault S     secret memory that COMMAND itself makes present at its start\n"
    "  --require        end a process that cannot have secret memory (status 78)\n"
    "  --uncached MODE  off, prefer or require: uncached memory for plain key bytes\n"
    "  --route R        all, or keys: only what key-handling code allocates\n"
    "  --help, --version\n"
    "\n"
    "S is a number of bytes, or has the suffix K, M, G or T.\n"
    "What LD_PRELOAD already holds is kept, and the soft RLIMIT_MEMLOCK is raised to the\n"
    "hard one. Options left out leave the SECRETSSL_* environment as it is.\n"
    "\n"
    "Exit status: COMMAND's; 127 if it is not found, 126 if it cannot be run,\n"
    "125 if 'secretssl run' itself fails.\n";

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

/* For COMMAND, which has this process's number, and not for the programs it starts. */
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

static int add_preload(void)
{
    char path[PRELOAD_PATH_ROOM];

    if (!preload_find(path)) {
        say("run: " PRELOAD " is in none of %s; build or install libsecretssl", path);
        return OWN_FAILURE;
    }
    if (strpbrk(path, " :") != NULL) {
        say("run: LD_PRELOAD cannot name %s, which holds a blank or a colon; move it", path);
        return OWN_FAILURE;
    }

    char *list = preload_list(path);

    if (list == NULL) {
        say("run: out of memory");
        return OWN_FAILURE;
    }

    int status = set_variable("LD_PRELOAD", list);

    free(list);
    return status;
}

static void raise_memlock(void)
{
    struct rlimit limit;

    /* Raising the soft limit to the hard one is allowed to everyone. */
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
            say("run: cannot raise the limit on locked memory: %s", strerror(errno));
    }
}

/* A directory in PATH that may not be entered makes execvp(3) say "permission denied". */
static bool is_in_path(const char *name)
{
    const char *path = getenv("PATH");

    if (strchr(name, '/') != NULL || path == NULL)
        return true;
    for (; *path != '\0'; path += strcspn(path, ":"), path += *path == ':') {
        char file[PATH_MAX];
        int wanted =
            snprintf(file, sizeof(file), "%.*s/%s", (int)strcspn(path, ":"), path, name);

        if (wanted > 0 && (size_t)wanted < sizeof(file) && access(file, F_OK) == 0)
            return true;
    }
    return false;
}

static int execute(char **command)
{
    execvp(command[0], command);

    int error = errno;

    if (error == EACCES && !is_in_path(command[0]))
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
    enum { ARENA_SIZE = 256, PREFAULT, REQUIRE, UNCACHED, ROUTE, HELP };
    static const struct option options[] = {
        {"arena-size", required_argument, NULL, ARENA_SIZE},
        {"prefault", required_argument, NULL, PREFAULT},
        {"require", no_argument, NULL, REQUIRE},
        {"uncached", required_argument, NULL, UNCACHED},
        {"route", required_argument, NULL, ROUTE},
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
    status = add_preload();
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
