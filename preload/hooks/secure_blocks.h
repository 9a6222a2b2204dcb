/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which blocks of the arena are secure ones (crypto_secure.c): a bit for each granule says
 * whether one begins there. They may be freed by a libcrypto that does not call us by name, so
 * every free looks.
 */
#ifndef PRELOAD_HOOKS_SECURE_BLOCKS_H
#define PRELOAD_HOOKS_SECURE_BLOCKS_H

#include "base/common.h"

extern SM_LOCAL uint64_t *secure_bits; /* NULL: there was no secure heap yet */

/* With the start lock. False: there is no arena, or no memory. */
bool secure_bits_make(void);

bool secure_bits_has(const void *p);

/*
 * How large OpenSSL would make the least block of its heap: a power of two. Only while nothing
 * is secure, or what is counted is wrong.
 */
void secure_bits_round_to(size_t size);

/* p is a block of ours. How much of OpenSSL's heap they would take together is counted. */
void secure_bits_set(const void *p);
size_t secure_bits_used(void);

/* From now on it is like any other. Whether it was secure. */
bool secure_bits_drop(const void *p);

/* Before p is freed: OpenSSL clears secure blocks, whatever the settings say. */
void secure_bits_free_slow(void *p);

static inline void secure_bits_free(void *p)
{
    if (sm_unlikely(__atomic_load_n(&secure_bits, __ATOMIC_RELAXED) != NULL))
        secure_bits_free_slow(p);
}

#endif
