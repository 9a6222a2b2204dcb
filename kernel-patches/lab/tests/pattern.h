/* SPDX-License-Identifier: GPL-2.0-only */
/* A pattern to be looked for in memory and in images of it. */
#ifndef LAB_PATTERN_H
#define LAB_PATTERN_H

#include <stddef.h>

/*
 * More than all vector registers hold: those of a process are in the kernel's memory at times.
 */
#define LENGTH 512

/* xorshift64, as pattern() in lib/guests.py: what it makes is in no other place. */
static void fill(char *at, unsigned long state)
{
    for (size_t i = 0; i < LENGTH; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        at[i] = (char)(state >> 24);
    }
}

#endif
