/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a process is protected, and with what figures. */
#ifndef SECRETSSL_PROCESS_STATE_H
#define SECRETSSL_PROCESS_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/counters.h"
#include "process/maps.h"
#include "process/tls_libraries.h"

enum protection_state {
    STATE_PROTECTED,   /* its OpenSSL's secrets are in secret memory; tls: what is not */
    STATE_DEGRADED,    /* protected, but not every secret */
    STATE_REFUSING,    /* protected, and some allocations or children were refused for it */
    STATE_UNUSED,      /* the library is there, and no secret yet */
    STATE_UNPROTECTED, /* a libcrypto that could be protected and is not */
    STATE_UNREACHED,   /* TLS, and none of it can be reached */
    STATE_NO_TLS,      /* nothing to protect */
    STATE_UNKNOWN,     /* it could not be looked at: failure says why */
    STATE_GONE,        /* it ended, or never was */
    STATES
};

/* For so many seconds a file is waited for. */
enum { UNREACHED_PATIENCE = 3 };

/* As --json and --prometheus name it */
extern const char *const state_names[STATES];

struct process_state {
    pid_t pid;
    pid_t thread;  /* by which its memory is reached: pid, or another's if that one has ended */
    char name[64]; /* as the process wishes: any bytes */
    uid_t uid;
    enum protection_state state;
    char reason[240]; /* why it is in this state; "" where there is nothing to add */
    struct process_map map;
    uint64_t kernel_secret; /* bytes of secret mappings, as the kernel has them */
    uint64_t kernel_blocks; /* of them, mapped by large entries of the page table */
    uint64_t secret_most;   /* with those that are not accessible, and were not tried */
    uint64_t mapped;        /* bytes of all mappings */
    struct process_stats stats;
    struct unreached_list tls;
};

/* Looks at a process; for any number at all. Free it in every case. */
void process_state_read(pid_t pid, struct process_state *process);
void process_state_free(struct process_state *process);

/* Whether it has figures to show: true ones. */
bool process_state_has_figures(const struct process_state *process);

#endif
