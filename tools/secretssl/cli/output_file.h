/* SPDX-License-Identifier: Apache-2.0 */
/* Output to a file that readers see whole or not at all. */
#ifndef SECRETSSL_CLI_OUTPUT_FILE_H
#define SECRETSSL_CLI_OUTPUT_FILE_H

#include <limits.h>
#include <stdbool.h>

struct output_file {
    const char *command; /* for messages */
    const char *path;
    char name[PATH_MAX]; /* of the new file */
};

/*
 * Makes stdout a new file in the directory of the given one, with a name that nobody can know
 * before. Returns false on failure, after a message; also if there is something that is no
 * ordinary file.
 */
bool output_file_begin(struct output_file *file, const char *command, const char *path);

/*
 * Gives the new file the name of the given one, which readers other than the owner may read.
 * Unless keep, removes it instead, so that the given file stays as it was. Returns false on
 * failure, after a message.
 */
bool output_file_end(const struct output_file *file, bool keep);

#endif
