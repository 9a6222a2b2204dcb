/* SPDX-License-Identifier: Apache-2.0 */
/* Argument parsing that the commands share, on glibc's argp. */
#ifndef SECRETSSL_CLI_OPTIONS_H
#define SECRETSSL_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/command.h"

/* The option -h, a child of every command's parser: argp itself knows --help and -?. */
extern const struct argp_child options_help[];

/*
 * Parses the arguments with the command's parser, whose state->input is `input`. For an unknown
 * option and the like argp prints a message and ends the program with the command's
 * usage_status. Returns false, after a message, if a function of the parser refused a value, or
 * if an unknown option is like one of the command's.
 */
bool options_parse(const struct command *command, int argc, char **argv, unsigned flags,
                   void *input);

/*
 * Reads a size: bytes in decimal, or with a suffix K, M, G or T (powers of 1024). Returns false
 * if the text is not a size or the size is outside [least, most].
 */
bool parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *value);

/* Reads a process ID. On failure prints a message and returns false. */
bool parse_pid(const char *command, const char *text, pid_t *pid);

#endif
