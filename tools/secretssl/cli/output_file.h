/* SPDX-License-Identifier: Apache-2.0 */
/* Output to a file that readers see whole or not at all. */
#ifndef SECRETSSL_CLI_OUTPUT_FILE_H
#define SECRETSSL_CLI_OUTPUT_FILE_H

#include <stdbool.h>

/*
 * Makes stdout a new file beside the given one, with ".new" behind its name. Returns false on
 * failure, after a message.
 */
bool output_file_begin(const char *command, const char *path);

/*
 * Gives the new file the name of the given one. Unless keep, removes it instead, so that the
 * file stays as it was. Returns false on failure, after a message.
 */
bool output_file_end(const char *command, const char *path, bool keep);

#endif
