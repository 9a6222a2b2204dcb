/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the user on stderr. */
#ifndef SECRETSSL_CLI_MESSAGE_H
#define SECRETSSL_CLI_MESSAGE_H

/* Prints one line on stderr: "secretssl: text". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns a text that names the privileges which this program needs to inspect the process. */
const char *privilege_hint(void);

#endif
