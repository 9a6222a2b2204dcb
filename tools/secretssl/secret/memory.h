/* SPDX-License-Identifier: Apache-2.0 */
/* Sets up libsecretmem for the scanner's secrets: its keys, and memory of other processes. */
#ifndef SECRETSSL_SECRET_MEMORY_H
#define SECRETSSL_SECRET_MEMORY_H

#include <stdbool.h>

/*
 * Gives libsecretmem the scanner's own settings, and makes libcrypto allocate from it. Call it
 * before either has allocated. Returns false if libcrypto has allocated before.
 */
bool secret_memory_begin(void);

/*
 * Returns the weakest memory that libsecretmem has given so far: "secret", "locked" or
 * "ordinary".
 */
const char *secret_memory_kind(void);

#endif
