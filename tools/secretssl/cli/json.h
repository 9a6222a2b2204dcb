/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands' JSON has in common. */
#ifndef SECRETSSL_CLI_JSON_H
#define SECRETSSL_CLI_JSON_H

#include <jansson.h>
#include <stdbool.h>

/*
 * "schema" of every object that is printed. It grows when a field goes or comes to mean
 * something else, not when one is added.
 */
enum { JSON_SCHEMA = 1 };

/* A string of any bytes: what is no UTF-8, which JSON must be, becomes '?'. */
json_t *json_text(const char *from);

/* Prints it on stdout, indented, and drops it. False after a message. */
bool json_print(const char *command, json_t *root);

/* Writes out what was printed. False after a message. */
bool output_written(const char *command);

#endif
