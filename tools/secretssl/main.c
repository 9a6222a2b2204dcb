/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl: finds the command in the table and calls its main function. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/suggest.h"

enum { USAGE = 2 };

static const struct command *const commands[] = {
    &command_run,    &command_doctor,  &command_stat,   &command_scan,
    &command_enable, &command_disable, &command_status,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

const char *argp_program_version = "secretssl " SECRETSSL_VERSION;

static void say_unknown_command(const char *text)
{
    struct suggestion suggestion = suggestion_begin(text);

    for (size_t i = 0; i < COMMANDS; i++)
        suggestion_compare(&suggestion, commands[i]->name);
    if (suggestion.best != NULL)
        say("unknown command '%s'; did you mean '%s'? 'secretssl --help' lists the commands",
            text, suggestion.best);
    else
        say("unknown command '%s'; 'secretssl --help' lists the commands", text);
}

struct choice {
    const struct command *command;
    int at; /* index of the command's name among the arguments */
};

static error_t main_option(int key, char *argument, struct argp_state *state)
{
    struct choice *choice = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        choice->at = state->next - 1;
        for (size_t i = 0; i < COMMANDS; i++) {
            if (strcmp(argument, commands[i]->name) == 0)
                choice->command = commands[i];
        }
        if (choice->command == NULL) {
            say_unknown_command(argument);
            return EINVAL;
        }
        state->next = state->argc; /* The other arguments are the command's. */
        return 0;
    case ARGP_KEY_NO_ARGS:
        say("no command given; see 'secretssl --help'");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    struct argp_option rows[COMMANDS + 1] = {0};
    const struct argp parser = {
        .options = rows,
        .parser = main_option,
        .args_doc = "COMMAND [ARGUMENT]...",
        .doc = "Keeps the memory of OpenSSL secret, and shows that it is.\v"
               "'secretssl COMMAND --help' describes one command.",
        .children = options_help,
    };
    struct choice choice = {.command = NULL};
    static char name[] = "secretssl";

    if (argc < 1)
        return USAGE;
    for (size_t i = 0; i < COMMANDS; i++)
        rows[i] = (struct argp_option){.name = commands[i]->name,
                                       .doc = commands[i]->summary,
                                       .flags = OPTION_DOC | OPTION_NO_USAGE};
    argv[0] = name;       /* argp and getopt begin their messages with argv[0]. */
    atexit(output_check); /* argp ends the program itself after --help and --version. */
    argp_err_exit_status = USAGE;
    if (argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &choice) != 0)
        return USAGE;
    return choice.command->main(choice.command, argc - choice.at, argv + choice.at);
}
