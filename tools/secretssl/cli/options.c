/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"

int option_error(const struct command *command, int answer, char **argv)
{
    /*
     * Long options have values above all letters. For a letter within a cluster, optind stays
     * at the cluster, so the word before it is another option.
     */
    bool is_letter = optopt > 0 && optopt < 256;
    char letter[3] = {'-', (char)optopt, '\0'};
    const char *option = is_letter ? letter : argv[optind - 1];

    if (answer == ':')
        say("%s: option %s needs a value; see 'secretssl %s --help'", command->name, option,
            command->name);
    else if (optopt != 0 && !is_letter)
        say("%s: option %s takes no value; see 'secretssl %s --help'", command->name, option,
            command->name);
    else
        say("%s: unknown or ambiguous option %s; see 'secretssl %s --help'", command->name,
            option, command->name);
    return command->usage_status;
}

int print_help(const struct command *command)
{
    if (fputs(command->help, stdout) == EOF || fflush(stdout) == EOF) {
        say("cannot write the help: %s", strerror(errno));
        return 2;
    }
    return 0;
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

bool one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}
