/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl: finds the command in the table and calls its main function. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/message.h"

enum { USAGE = 2 };

static const struct command *const commands[] = {
    &command_run,
    &command_doctor,
    &command_stat,
    &command_scan,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int written(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    say("cannot write to standard output: %s", strerror(errno));
    return USAGE;
}

static int help(void)
{
    puts("Usage: secretssl COMMAND [ARGUMENT]...\n"
         "Keeps the memory of OpenSSL secret, and shows that it is.\n"
         "\n"
         "Commands:");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
    puts("\n"
         "  --help     this text; 'secretssl COMMAND --help' for one command\n"
         "  --version  the version");
    return written();
}

static int version(void)
{
    puts("secretssl " SECRETSSL_VERSION);
    return written();
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        say("no command given; see 'secretssl --help'");
        return USAGE;
    }

    const char *name = argv[1];

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help();
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return version();
    if (name[0] == '-') {
        say("unknown option %s; see 'secretssl --help'", name);
        return USAGE;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i]->name) != 0)
            continue;
        if (argc == 3 && strcmp(argv[2], "--version") == 0)
            return version();
        return commands[i]->main(commands[i], argc - 1, argv + 1);
    }
    say("unknown command '%s'; 'secretssl --help' lists the commands", name);
    return USAGE;
}
