/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/sizing.h"

#include <stddef.h>
#include <string.h>

enum { LEAST_MIB = 512, STEP_MIB = 64 };

/*
 * KiB, mapped, of the process that takes most: the table of docs/operations/sizing.md, rounded
 * up. docs.enable.sizes compares the two.
 */
static const struct program_size {
    const char *program;
    unsigned process, certificate, connection;
} sizes[] = {
    {"nginx", 1152, 26, 18},     {"apache2", 5376, 86, 25}, {"haproxy", 1856, 39, 17},
    {"postgres", 1152, 0, 1152}, {NULL, 5376, 86, 25}, /* every other program */
};

static const struct program_size *size_of(const char *program)
{
    const struct program_size *size = sizes;

    while (size->program != NULL && strcmp(size->program, program) != 0)
        size++;
    return size;
}

uint64_t sizing_limit(const char *program, const struct load *load)
{
    const struct program_size *size = size_of(program);
    uint64_t process = size->process + (uint64_t)load->certificates * size->certificate;
    uint64_t sum = load->processes * process + load->connections * size->connection;
    uint64_t limit = 2 * sum / 1024;

    limit = (limit + STEP_MIB) / STEP_MIB * STEP_MIB;
    return limit > LEAST_MIB ? limit : LEAST_MIB;
}
