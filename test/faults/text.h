/* SPDX-License-Identifier: Apache-2.0 */
/* Whose code an address of a process is. */
#ifndef FAULTS_TEXT_H
#define FAULTS_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether an address lies in the code of a library, by its file's name. */
bool text_of_library(pid_t thread, uint64_t address, const char *library);

/* Forgets what is known of a process, which executes another program. */
void text_forget(pid_t thread);

#endif
