/* SPDX-License-Identifier: Apache-2.0 */
/* The protection state of a process, with the figures behind it. */
#ifndef SECRETSSL_PROCESS_STATE_H
#define SECRETSSL_PROCESS_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/control_group.h"
#include "process/counters.h"
#include "process/maps.h"
#include "process/tls_libraries.h"

enum protection_state {
    STATE_PROTECTED,   /* OpenSSL's secrets are in secret memory; tls: exceptions */
    STATE_DEGRADED,    /* protected, but not for every secret */
    STATE_REFUSING,    /* protected, and some allocations or children were refused */
    STATE_UNUSED,      /* the library is loaded, without a secret so far */
    STATE_UNPROTECTED, /* has a libcrypto that could be protected and is not */
    STATE_UNREACHED,   /* has TLS, and libsecretssl can reach none of it */
    STATE_NO_TLS,      /* nothing to protect */
    STATE_UNKNOWN,     /* the process could not be inspected: see reason */
    STATE_GONE,        /* the process ended, or never existed */
    STATES
};

/* Seconds to wait for a file. */
enum { UNREACHED_PATIENCE = 3 };

/* The names of the states in --json and --prometheus */
extern const char *const state_names[STATES];

struct process_state {
    pid_t pid;
    pid_t thread;  /* gives access to the memory: pid, or another thread if pid's has ended */
    char name[64]; /* set by the process: any bytes */
    uid_t uid;
    char unit[UNIT_NAME_ROOM]; /* systemd's service or scope that it belongs to; may be "" */
    enum protection_state state;
    char reason[240]; /* the reason for the state; may be "" */
    struct process_map map;
    uint64_t kernel_secret; /* bytes of secret mappings in the kernel's list */
    uint64_t kernel_blocks; /* bytes of these in large page table entries */
    uint64_t secret_most;   /* as kernel_secret, with inaccessible and unproven mappings */
    uint64_t mapped;        /* bytes of all mappings */
    struct process_stats stats;
    struct unreached_list tls;
};

/*
 * Inspects a process; pid may be any number. The caller calls process_state_free() in every
 * case.
 */
void process_state_read(pid_t pid, struct process_state *process);
void process_state_free(struct process_state *process);

/* Returns true if the process has figures, and the figures are true. */
bool process_state_has_figures(const struct process_state *process);

#endif
