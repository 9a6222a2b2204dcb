/* SPDX-License-Identifier: Apache-2.0 */
/* What was found in files, kept because most processes of a machine map the same libraries. */
#ifndef SECRETSSL_PROCESS_KNOWN_FILES_H
#define SECRETSSL_PROCESS_KNOWN_FILES_H

#include <sys/types.h>

#include "process/maps.h"

/* Returns what was found in the mapping's file, or 0 if nothing is known of it. */
unsigned known_file_find(const struct mapping *mapping);

/* Keeps what was found, unless memory runs out. */
void known_file_add(const struct mapping *mapping, unsigned has);

/*
 * Returns the number of timed-out waits for files of the process's user, for the caller to
 * count on, because a user may delay this program on purpose. Returns NULL if the user is not
 * known or memory runs out.
 */
unsigned *waited_for_user_of(pid_t pid);

/* Forgets all of this, because files may have changed. */
void known_files_forget(void);

#endif
