/* SPDX-License-Identifier: Apache-2.0 */
/* What the tool says to its user on stderr. */
#ifndef SECRETSSL_CLI_MESSAGE_H
#define SECRETSSL_CLI_MESSAGE_H

/* One line on stderr, "secretssl: text". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What lets this program look at a process that it may not look at. */
const char *privilege_hint(void);

#endif
