/* SPDX-License-Identifier: Apache-2.0 */
/* Argument handling that the commands share. */
#ifndef SECRETSSL_CLI_OPTIONS_H
#define SECRETSSL_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/command.h"

/*
 * Prints a message about the option for which getopt_long() returned '?' or ':'. The caller
 * sets opterr to 0 and begins the short options with ':'. Returns the command's usage_status.
 */
int option_error(const struct command *command, int answer, char **argv);

/* Prints the command's help on stdout. Returns 0, or 2 if stdout cannot be written. */
int print_help(const struct command *command);

/*
 * Reads a size: bytes in decimal, or with a suffix K, M, G or T (powers of 1024). Returns false
 * if the text is not a size or the size is outside [least, most].
 */
bool parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *value);

/* Reads a process ID. On failure prints a message and returns false. */
bool parse_pid(const char *command, const char *text, pid_t *pid);

/* Returns true if text is in the list of words, which ends with NULL. */
bool one_of(const char *text, const char *const *words);

#endif
