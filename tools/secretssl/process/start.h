/* SPDX-License-Identifier: Apache-2.0 */
/* How a process was started: its environment, and whether ld.so heeded it. */
#ifndef SECRETSSL_PROCESS_START_H
#define SECRETSSL_PROCESS_START_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Reads a file below /proc/PID, at most 128 KiB, and adds two zeros. Returns NULL if the file
 * cannot be read. The caller frees the text.
 */
char *process_read_file(pid_t pid, const char *name, size_t *size);

/*
 * Reads the path of the program that a process runs, or of the file that has taken its place
 * since. Returns false with errno set if it cannot be read.
 */
bool process_program(pid_t pid, char program[PATH_MAX]);

/* Returns 1 if LD_PRELOAD names the preload object, 0 if not, -1 if this cannot be known. */
int process_asks_for_preload(pid_t pid);

/* Returns true if the kernel set AT_SECURE at the start, so that ld.so ignored LD_PRELOAD. */
bool process_runs_set_id(pid_t pid);

#endif
