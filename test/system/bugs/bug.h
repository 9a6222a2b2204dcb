/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs here share. Each makes one mistake, in a function bug():
 *
 *   PROGRAM bug|right [SIZE [PLACE]]
 *
 * "right" is the same program without the mistake. Each is built twice: over libsecretmem,
 * and over OpenSSL's allocation functions, to run under the preload.
 */
#ifndef BUG_H
#define BUG_H

#include <stdbool.h>
#include <stddef.h>

void bug(void);

/* The arguments; PLACE is in the program's own terms. */
extern bool wrong; /* make the mistake */
extern size_t size;
extern long place;

/* Says which address the message must name. */
void expect(const void *address);

/* Another use of a block that may be freed: the compiler does not see through. */
void poke(void *address, int value);

void *take(size_t bytes);
void *resize(void *block, size_t bytes);
void give(void *block);

/* Only where the library has it */
size_t usable(const void *block);

/* Takes, fills and frees blocks of the same size, so that other things happened meanwhile. */
void churn(unsigned blocks, size_t bytes);

#endif
