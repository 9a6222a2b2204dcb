/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRELOAD_EXPORTS_MMAP_H
#define PRELOAD_EXPORTS_MMAP_H

#include <stddef.h>

/*
 * Makes memory that the program has locked ordinary locked memory again, with its contents.
 * call: what the program does that secret memory cannot stand, for the message.
 */
void locked_give_up(const void *address, size_t length, const char *call);

/* The same for memory that becomes a stack. Later locks of it are left to the kernel. */
void locked_is_stack(const void *address, size_t length, const char *call);

#endif
