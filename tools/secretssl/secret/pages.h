/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages for the scanner's secrets: its keys, and memory read from other processes. The tool has
 * its own implementation, so that its checks of the library do not depend on the library.
 */
#ifndef SECRETSSL_SECRET_PAGES_H
#define SECRETSSL_SECRET_PAGES_H

#include <stddef.h>

/*
 * Maps at least size bytes, resident and zero, with an inaccessible page on either side. The
 * pages are secret memory if the kernel gives it, else locked memory excluded from core dumps,
 * else ordinary memory. For locked or ordinary memory prints a message, once. Returns NULL if
 * there is no memory.
 */
void *secret_pages_map(size_t size);

/*
 * Returns the weakest protection of all pages given so far: "secret", "locked" or "ordinary".
 */
const char *secret_pages_protection(void);

/*
 * Clears every page ever given. The pages stay mapped, because libcrypto may still hold
 * pointers.
 */
void secret_pages_clear(void);

#endif
