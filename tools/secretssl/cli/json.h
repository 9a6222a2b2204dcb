/* SPDX-License-Identifier: Apache-2.0 */
/* JSON output that the commands share. */
#ifndef SECRETSSL_CLI_JSON_H
#define SECRETSSL_CLI_JSON_H

#include <jansson.h>
#include <stdbool.h>

/*
 * The "schema" field of every printed object. The number grows when a field is removed or
 * changes its meaning, not when a field is added.
 */
enum { JSON_SCHEMA = 1 };

/*
 * Makes a JSON string of any bytes. Because JSON must be UTF-8, bytes that are not UTF-8 become
 * '?'.
 */
json_t *json_text(const char *from);

/*
 * Prints root on stdout, indented, and drops the reference. Returns false on failure. Prints a
 * message if root is NULL.
 */
bool json_print(const char *command, json_t *root);

#endif
