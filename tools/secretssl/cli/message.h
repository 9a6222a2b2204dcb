/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the user on stderr. */
#ifndef SECRETSSL_CLI_MESSAGE_H
#define SECRETSSL_CLI_MESSAGE_H

#include <stdbool.h>

/* Prints one line on stderr: "secretssl: text", without what could confuse a terminal. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flushes stdout. Returns false if stdout could not be written, now or before. */
bool output_written(void);

/*
 * For atexit(3): if stdout could not be written, prints a message and ends the program with
 * status 2.
 */
void output_check(void);

/* Returns a text that names the privileges which this program needs to inspect the process. */
const char *privilege_hint(void);

#endif
