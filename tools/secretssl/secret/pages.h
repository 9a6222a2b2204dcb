/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages for what the scanner must not leak: its keys, and what it reads of others' memory.
 * The tool has these of its own so that it can be trusted to look at the library's.
 */
#ifndef SECRETSSL_SECRET_PAGES_H
#define SECRETSSL_SECRET_PAGES_H

#include <stddef.h>

/*
 * Maps at least size bytes, present, zero, with an inaccessible page on either side. Secret
 * memory where the kernel gives it, else locked memory that no core dump holds, else ordinary
 * memory; anything but the first is said on stderr, once. NULL if there is no memory at all.
 */
void *secret_pages_map(size_t size);

/* What the weakest pages given so far are: "secret", "locked" or "ordinary". */
const char *secret_pages_protection(void);

/* Clears every page ever given. They stay mapped: libcrypto may still hold pointers. */
void secret_pages_clear(void);

#endif
