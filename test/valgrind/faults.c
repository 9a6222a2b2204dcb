/* SPDX-License-Identifier: Apache-2.0 */
/* One fault, named by the first argument, in a block of the size of the second. */
#include <secretmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile unsigned char sink;
static void *volatile kept;

static void overrun(unsigned char *p, size_t n)
{
    p[n] = 1;
    secretmem_free(p);
}

/* Of the second block: what is before the first one cannot be touched at all. */
static void underrun(unsigned char *p, size_t n)
{
    unsigned char *second = secretmem_malloc(n);

    if (second)
        second[-1] = 1;
    secretmem_free(second);
    secretmem_free(p);
}

static void read_behind(unsigned char *p, size_t n)
{
    sink = p[n];
    secretmem_free(p);
}

static void read_after_free(unsigned char *p, size_t n)
{
    secretmem_free(p);
    sink = p[n / 2];
}

static void write_after_free(unsigned char *p, size_t n)
{
    secretmem_free(p);
    p[n / 2] = 1;
}

static void read_after_realloc(unsigned char *p, size_t n)
{
    kept = secretmem_realloc(p, n * 20);
    sink = p[0];
    secretmem_free(kept);
}

static void leak(unsigned char *p, size_t n)
{
    memset(p, 1, n);
}

static const struct {
    const char *name;
    void (*make)(unsigned char *p, size_t n);
} faults[] = {
    {"overrun", overrun},
    {"underrun", underrun},
    {"read-behind", read_behind},
    {"read-after-free", read_after_free},
    {"write-after-free", write_after_free},
    {"read-after-realloc", read_after_realloc},
    {"leak", leak},
};

int main(int argc, char **argv)
{
    size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    for (size_t i = 0; n && i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (strcmp(argv[1], faults[i].name) == 0) {
            unsigned char *p = secretmem_malloc(n);
            if (!p)
                return 1;
            faults[i].make(p, n);
            /* No trace of the address in a register or on the stack. */
            p = NULL;
            kept = NULL;
            return 0;
        }
    }
    fprintf(stderr, "usage: %s FAULT SIZE\n", argv[0]);
    return 2;
}
