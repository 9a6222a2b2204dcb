/* SPDX-License-Identifier: Apache-2.0 */
/* Texts and files of lines that commands for services look at. */
#ifndef SECRETSSL_ENABLE_TEXT_H
#define SECRETSSL_ENABLE_TEXT_H

#include <stdbool.h>

bool text_ends_with(const char *text, const char *end);

/*
 * Returns true if one of the file's lines is what is looked for; the line is given without the
 * blanks at its beginning. Returns false for a file that cannot be read.
 */
bool file_has_line(const char *path, bool (*is_it)(const char *line));

#endif
