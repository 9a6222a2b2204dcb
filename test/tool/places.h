/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests and the planter say to each other. The planter reads records from its
 * standard input, a head and then the bytes, each masked so that neither pipe nor buffer holds
 * a copy of its own. For each it prints the address of the first copy. It ends with its input.
 */
#ifndef SECRETSSL_TEST_PLACES_H
#define SECRETSSL_TEST_PLACES_H

#include <stdint.h>

enum place {
    HEAP_UNALIGNED,
    PAGE_BOUNDARY,
    MAPPING_BOUNDARY, /* half in one mapping, half in the next */
    THREAD_STACK,
    MAIN_STACK,
    STATIC_DATA,
    SHARED_FILE,  /* mapped, and never touched through this mapping */
    PRIVATE_FILE, /* changed, so that the file does not have it */
    SHARED_MEMORY,
    NO_ACCESS,
    RESERVATION, /* one page of a terabyte */
    PLACES,      /* the end of those that can be read */
    SECRET_MEMORY = PLACES,
    MANY_MAPPINGS, /* one memory of 64 MiB mapped eight times: slow to search */
    LEADERLESS,    /* on the heap, and then the first thread ends while another goes on */
};

enum { MASK = 0xa5, PLANT_MOST = 1 << 17 };

struct plant_head {
    uint32_t place;
    uint32_t size;   /* bytes that follow */
    uint32_t repeat; /* copies, back to back */
};

#endif
