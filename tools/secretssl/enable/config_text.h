/* SPDX-License-Identifier: Apache-2.0 */
/* Directives in the text of a server's configuration. */
#ifndef SECRETSSL_ENABLE_CONFIG_TEXT_H
#define SECRETSSL_ENABLE_CONFIG_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Returns how often the directive occurs: a word of its own with a value behind it, not behind
 * a '#' in its line. Servers differ in whether letter case counts; here it does not.
 */
unsigned config_count(const char *text, const char *directive);

/* Returns the largest of the directive's values that are numbers, or 0. */
uint64_t config_most(const char *text, const char *directive);

/* Returns true if one of the directive's values begins like this. */
bool config_has(const char *text, const char *directive, const char *begin);

#endif
