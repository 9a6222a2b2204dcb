/* SPDX-License-Identifier: Apache-2.0 */
/* The limit on locked memory that a service needs, by the formula of docs/operations/sizing.md.
 */
#ifndef SECRETSSL_ENABLE_SIZING_H
#define SECRETSSL_ENABLE_SIZING_H

#include <stdint.h>

struct load {
    unsigned processes;    /* of the service */
    unsigned certificates; /* in each process */
    uint64_t connections;  /* at one time, in all processes together */
};

/*
 * Returns LimitMEMLOCK= in MiB for a program of this name: twice the formula's sum, because old
 * and new processes overlap during a reload, and at least the limit that the documentation
 * gives for every service.
 */
uint64_t sizing_limit(const char *program, const struct load *load);

#endif
