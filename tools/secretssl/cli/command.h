/* SPDX-License-Identifier: Apache-2.0 */
/* A command of the tool. Each command has one file, and one row in the table in main.c. */
#ifndef SECRETSSL_CLI_COMMAND_H
#define SECRETSSL_CLI_COMMAND_H

#include <argp.h>

struct command {
    const char *name;
    const char *summary;      /* one line for the tool's own --help */
    const struct argp parser; /* options, arguments, and the text of the command's --help */
    int usage_status;         /* exit status for wrong arguments */
    /* argv[0] is the command's name. Returns the exit status. */
    int (*main)(const struct command *self, int argc, char **argv);
};

extern const struct command command_disable;
extern const struct command command_doctor;
extern const struct command command_enable;
extern const struct command command_run;
extern const struct command command_scan;
extern const struct command command_stat;
extern const struct command command_status;

#endif
