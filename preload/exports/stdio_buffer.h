/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer of a stream, and how the C library would have it. */
#ifndef PRELOAD_EXPORTS_STDIO_BUFFER_H
#define PRELOAD_EXPORTS_STDIO_BUFFER_H

#include <stddef.h>
#include <stdio.h>

/* Returns the mode for setvbuf() that the C library chooses for this file. Keeps errno. */
int stdio_buffer_mode(FILE *file);

/* Clears memory that is about to be freed. */
void stdio_buffer_clear(char *buffer, size_t size);

/*
 * Clears the buffer that the C library is about to free. Data that the program wrote and did
 * not flush stay, because the C library must write them or report the failure.
 */
void stdio_buffer_clear_own(FILE *file);

/*
 * Clears what was read of a terminal, pipe or socket from the buffer, where a passphrase would
 * stay until the stream is closed. The program cannot go back to it. Keeps errno.
 */
void stdio_buffer_clear_read(FILE *file);

#endif
