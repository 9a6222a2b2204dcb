/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands' argument handling has in common. */
#ifndef SECRETSSL_CLI_OPTIONS_H
#define SECRETSSL_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/command.h"

/*
 * Says what is wrong with the option that getopt_long() just answered with '?' or ':'
 * (opterr 0, a leading ':' in the short options). Returns the command's usage_status.
 */
int option_error(const struct command *command, int answer, char **argv);

/* Prints the command's help on stdout. Returns 0, or 2 if it cannot be written. */
int print_help(const struct command *command);

/*
 * Reads a size: bytes in decimal, or with a suffix K, M, G or T (powers of 1024).
 * False if it is none, or does not lie in [least, most].
 */
bool parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *value);

/* Reads the number of a process. False after a message. */
bool parse_pid(const char *command, const char *text, pid_t *pid);

/* Is text one of the words of the list, which a NULL ends? */
bool one_of(const char *text, const char *const *words);

#endif
