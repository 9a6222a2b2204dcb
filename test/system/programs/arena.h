/* SPDX-License-Identifier: Apache-2.0 */
/* Where in the arena an address lies, found out from outside: by /proc/self/maps. */
#ifndef SYSTEM_TEST_ARENA_H
#define SYSTEM_TEST_ARENA_H

#include "common.h"

/* In their order in the arena */
enum part { PART_BYTES, PART_KEY, PART_IO, PART_PUBLIC, PARTS, PART_NONE };

extern const char *const part_names[PARTS + 2];

/* The partition that an address lies in; PART_NONE: not in the arena. */
enum part part_of(const void *address);

/* One check: the address lies in this partition, or without the preload in none. */
void check_part(const void *address, enum part wanted, const char *what);

/* The private numbers of a key, each in both orders of bytes */
struct numbers {
    struct number {
        const char *name;
        unsigned char big[256], little[256];
        size_t size;
    } number[8];
    unsigned count;
};

/* What OpenSSL allocates for this is freed, and so cleared, again. */
struct evp_pkey_st;
void numbers_add(struct numbers *numbers, const struct evp_pkey_st *key);

/*
 * How many places of memory hold a window of so many bytes of any number. Calls found, if
 * there is one, for each.
 */
unsigned numbers_search(const struct numbers *numbers, size_t window, const unsigned char *in,
                        size_t size, void (*found)(const unsigned char *at, const char *name));

#endif
