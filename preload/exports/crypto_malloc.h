/* SPDX-License-Identifier: Apache-2.0 */
/* CRYPTO_malloc() and its relatives, in place of libcrypto's. */
#ifndef PRELOAD_ALLOCATE_H
#define PRELOAD_ALLOCATE_H

#include <stddef.h>

/* How many allocations came before our constructor, and went to the C library. */
size_t allocate_early(void);

#endif
