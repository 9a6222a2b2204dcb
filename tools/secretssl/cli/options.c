/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/suggest.h"

static error_t help_option(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    if (key != 'h')
        return ARGP_ERR_UNKNOWN;
    argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
    return 0;
}

const struct argp_child options_help[] = {
    {.argp =
         &(const struct argp){
             .options = (const struct argp_option[]){{.key = 'h', .flags = OPTION_HIDDEN}, {0}},
             .parser = help_option}},
    {0},
};

/* Returns the option that a word of the command line begins with, or NULL. */
static const struct argp_option *option_of(const struct argp_option *options, const char *word)
{
    size_t length = strcspn(word, "=");

    for (; options != NULL && options->name != NULL; options++) {
        /* getopt takes a beginning for the whole. */
        if (length >= 2 && strncmp(options->name, word + 2, length - 2) == 0)
            return options;
    }
    return NULL;
}

/* Prints a message, and returns true, if the word is no option and one is like it. */
static bool is_mistyped(const struct command *command, const char *word)
{
    static const char *const common[] = {"help", "usage", "version"};
    char name[32];
    struct suggestion suggestion;

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    suggestion = suggestion_begin(name);
    for (const struct argp_option *option = command->parser.options;
         option != NULL && option->name != NULL; option++) {
        if (!(option->flags & OPTION_HIDDEN))
            suggestion_compare(&suggestion, option->name);
    }
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        if (strncmp(common[i], name, strlen(name)) == 0)
            return false;
        suggestion_compare(&suggestion, common[i]);
    }
    if (suggestion.best != NULL)
        say("%s: unknown option '--%s'; did you mean '--%s'?", command->name, name,
            suggestion.best);
    return suggestion.best != NULL;
}

/*
 * Finds an option that argp would call unrecognized without a proposal. Words behind the first
 * that is no option belong to another command if the parser keeps them in order.
 */
static bool has_mistyped(const struct command *command, int argc, char **argv, unsigned flags)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const struct argp_option *option;

        if (strncmp(argv[i], "--", 2) != 0) {
            if (flags & ARGP_IN_ORDER && argv[i][0] != '-')
                return false;
            continue;
        }
        option = option_of(command->parser.options, argv[i]);
        if (option == NULL && is_mistyped(command, argv[i]))
            return true;
        /* The next word is the option's value. */
        if (option != NULL && option->arg != NULL && !(option->flags & OPTION_ARG_OPTIONAL) &&
            strchr(argv[i], '=') == NULL)
            i++;
    }
    return false;
}

bool options_parse(const struct command *command, int argc, char **argv, unsigned flags,
                   void *input)
{
    static char name[32];

    /* argp begins its messages and the synopsis with argv[0]. */
    snprintf(name, sizeof(name), "secretssl %s", command->name);
    argv[0] = name;
    argp_err_exit_status = command->usage_status;
    if (has_mistyped(command, argc, argv, flags))
        return false;
    return argp_parse(&command->parser, argc, argv, flags, NULL, input) == 0;
}

bool parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
    static const char suffixes[] = "KMGT";
    unsigned shift = 0;
    char *end;

    /* strtoull accepts signs and blanks, which a size cannot have. */
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    if (*end != '\0') {
        const char *suffix = strchr(suffixes, toupper((unsigned char)*end));

        if (suffix == NULL || end[1] != '\0')
            return false;
        shift = 10 * (unsigned)(suffix - suffixes + 1);
    }
    if (number > UINT64_MAX >> shift)
        return false;
    *value = (uint64_t)number << shift;
    return *value >= least && *value <= most;
}

bool parse_pid(const char *command, const char *text, pid_t *pid)
{
    char *end;

    errno = 0;

    long value = strtol(text, &end, 10);

    *pid = (pid_t)value;
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value >= 1 &&
        value <= INT32_MAX)
        return true;
    say("%s: '%s' is not a process number; give a number above 0, as ps(1) shows it", command,
        text);
    return false;
}
