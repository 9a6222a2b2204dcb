/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of secure blocks in the arena (crypto_secure.c): a bit for each granule says
 * whether a secure block begins there. Every free looks into the table, because a libcrypto
 * that does not call the preload by name may free a secure block.
 */
#ifndef PRELOAD_HOOKS_SECURE_BLOCKS_H
#define PRELOAD_HOOKS_SECURE_BLOCKS_H

#include "base/common.h"

extern SM_LOCAL uint64_t *secure_bits; /* NULL until there is a secure heap */

/* Whether a free is more than that: there are secure blocks, or sealed ones. */
extern SM_LOCAL bool secure_frees;

/* Called when private keys are sealed. */
void secure_bits_seal(void);

/* Called with the start lock held. Returns false if there is no arena or no memory. */
bool secure_bits_make(void);

bool secure_bits_has(const void *p);

/*
 * Sets the size of the least block of OpenSSL's secure heap, a power of two. Call only while no
 * block is secure: otherwise the count of secure_bits_used() is wrong.
 */
void secure_bits_round_to(size_t size);

/*
 * Marks p, a block of the arena. secure_bits_used() returns how many bytes of OpenSSL's heap
 * all secure blocks would take.
 */
void secure_bits_set(const void *p);
size_t secure_bits_used(void);

/* Removes the mark of p. Returns true if p was secure. */
bool secure_bits_drop(const void *p);

/*
 * Called before p is freed. Clears a secure block whatever the settings say, as OpenSSL does.
 */
void secure_bits_free_slow(void *p);

static inline void secure_bits_free(void *p)
{
    if (sm_unlikely(__atomic_load_n(&secure_bits, __ATOMIC_RELAXED) != NULL))
        secure_bits_free_slow(p);
}

#endif
