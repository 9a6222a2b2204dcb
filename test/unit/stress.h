/* SPDX-License-Identifier: Apache-2.0 */
/* A random mix of allocations, every byte of which is checked. No Criterion: it also runs
 * under Valgrind and ThreadSanitizer. */
#ifndef UNIT_STRESS_H
#define UNIT_STRESS_H

#include <stddef.h>
#include <stdint.h>

#define STRESS_BLOCKS 256

struct stress_block {
    unsigned char *at; /* NULL: none */
    size_t size;       /* asked for */
    unsigned char mark;
};

struct stress {
    uint64_t random;
    size_t most; /* bytes of the largest block */
    struct stress_block blocks[STRESS_BLOCKS];
};

/* Ends the program with a line on descriptor 2 if the allocator did something wrong. */
void stress_run(struct stress *stress, unsigned steps);

/* Checks all blocks, and frees them. */
void stress_end(struct stress *stress);

/* Single blocks, for those who pass them on. */
struct stress_block stress_alloc(uint64_t *random, size_t most);
void stress_check(const struct stress_block *block);
void stress_free(struct stress_block *block);

#endif
