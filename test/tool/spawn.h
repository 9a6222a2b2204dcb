/* SPDX-License-Identifier: Apache-2.0 */
/* Runs programs for the tests. */
#ifndef SECRETSSL_TEST_SPAWN_H
#define SECRETSSL_TEST_SPAWN_H

#include <sys/types.h>

struct outcome {
    int status; /* exit status, or 128 + the signal */
    char *out;
    char *err;
};

/* Runs a program to its end; the arguments end with NULL. */
struct outcome run_program(const char *const *argv);

/* The same for the tool: argv without its name. */
struct outcome run_tool(const char *const *arguments);
#define TOOL_RUN(...) run_tool((const char *const[]){__VA_ARGS__, NULL})

void outcome_free(struct outcome *outcome);

/* Expects one line on stderr that holds the text, and nothing on stdout. Frees the outcome. */
void check_message(struct outcome outcome, int status, const char *text);

/*
 * Expects argp's two lines on stderr, the first with the text: which option is wrong, and how
 * to see the options. Frees the outcome.
 */
void check_option_error(struct outcome outcome, int status, const char *text);

/* Starts a program; descriptors of -1 are inherited. */
pid_t start_program(const char *const *argv, int in, int out, int err);

/* Waits for it: its exit status, or 128 + the signal. */
int wait_program(pid_t pid);

/* A new directory that is the current one from now on, and is removed when the test ends. */
const char *enter_temporary_directory(void);
void leave_temporary_directory(void);

#endif
