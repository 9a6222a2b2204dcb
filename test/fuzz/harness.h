/* SPDX-License-Identifier: Apache-2.0 */
/* What the harnesses share. */
#ifndef FUZZ_HARNESS_H
#define FUZZ_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* libFuzzer calls the first once, the second for every input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A finding: libFuzzer keeps the input of a process that aborts. */
#define EXPECT(condition, ...)                                                                 \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "%s:%d: failed: %s: ", __FILE__, __LINE__, #condition);            \
            fprintf(stderr, __VA_ARGS__);                                                      \
            fputc('\n', stderr);                                                               \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

/* An input that is read from its beginning. What is missing at its end reads as zeros. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint64_t input_number(struct input *input, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && input->left > 0; i++, input->at++, input->left--)
        value |= (uint64_t)*input->at << 8 * i;
    return value;
}

static inline unsigned input_byte(struct input *input)
{
    return (unsigned)input_number(input, 1);
}

#endif
