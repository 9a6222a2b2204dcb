/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a unit, and whether they are protected. */
#ifndef SECRETSSL_ENABLE_PROCESSES_H
#define SECRETSSL_ENABLE_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/state.h"

/* What was seen of all processes of a unit. */
struct look {
    pid_t *pids; /* all processes */
    size_t count;
    size_t states[STATES];
    uint64_t secret; /* bytes of secret memory, in all processes */
    /* The first process that is not as it should be; 0: none */
    pid_t bad;
    enum protection_state bad_state;
    char bad_name[64], reason[300];
    char other[80]; /* TLS that is not OpenSSL's in a process that has OpenSSL, too; "": none */
};

/*
 * Looks at the processes in a control group and those below it. Returns false if memory runs
 * out or /proc cannot be read. The caller calls look_free() in every case.
 */
bool look_at(const char *control_group, struct look *look);
void look_free(struct look *look);

/*
 * Returns true if at least one process is protected, and each other process is protected too or
 * has nothing to protect.
 */
bool look_is_good(const struct look *look);

#endif
