/* SPDX-License-Identifier: Apache-2.0 */
/* Which partition an allocation belongs to, by the source file that asks for it. */
#ifndef PRELOAD_ROUTE_H
#define PRELOAD_ROUTE_H

#include "arena.h"

/* Looks the file up in the lists. file may be NULL or "". */
unsigned route_classify(const char *file);

/* What route_classify says for a file that allocates octet keys and other things */
#define ROUTE_OCTETS     SM_PARTS
#define ROUTE_OCTETS_MAX 64 /* bytes of the largest octet key: Ed448 has 57 */

#define ROUTE_CACHE 1024

/* File pointer << 8 | answer + 1; a pointer has 56 bits at most. One word, so never torn. */
extern uint64_t route_cache[ROUTE_CACHE];

unsigned route_miss(const char *file);

static inline unsigned route(const char *file, size_t size)
{
    uintptr_t at = (uintptr_t)file;
    uint64_t entry =
        __atomic_load_n(&route_cache[(at ^ at >> 10) % ROUTE_CACHE], __ATOMIC_RELAXED);
    unsigned answer =
        (entry >> 8 == at && entry) ? (unsigned)(entry & 0xff) - 1 : route_miss(file);

    if (sm_unlikely(answer == ROUTE_OCTETS))
        return size <= ROUTE_OCTETS_MAX ? SM_PART_BYTES : SM_PART_KEY;
    return answer;
}

#endif
