/* SPDX-License-Identifier: Apache-2.0 */
/* Copies all memory of this process that this thread can read, as an attacker inside it would.
 */
#ifndef SYSTEM_TEST_MEMORY_COPY_H
#define SYSTEM_TEST_MEMORY_COPY_H

#include <stddef.h>

struct memory_copied {
    size_t copied, refused; /* bytes; pages of zeros are read, but not written */
};

/* Called once. Faults of memory_copy() are skipped by a handler of SIGSEGV and SIGBUS. */
void memory_copy_init(void);

/* For one thread at a time. */
struct memory_copied memory_copy(const char *file);

#endif
