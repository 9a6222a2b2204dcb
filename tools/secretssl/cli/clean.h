/* SPDX-License-Identifier: Apache-2.0 */
/* Text of others that is shown on a terminal. */
#ifndef SECRETSSL_CLI_CLEAN_H
#define SECRETSSL_CLI_CLEAN_H

/*
 * Replaces by '?' each byte that could do something to a terminal or its reader: the control
 * characters of ASCII and Unicode, the marks that turn the direction of text, and what is not
 * UTF-8. The length stays.
 */
void clean_text(char *text);

/* Prints a text, at most 511 bytes of it, on stdout in this way. */
void put_clean(const char *text);

#endif
