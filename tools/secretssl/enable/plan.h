/* SPDX-License-Identifier: Apache-2.0 */
/* The drop-in that a unit needs, and whether systemd heeds it. */
#ifndef SECRETSSL_ENABLE_PLAN_H
#define SECRETSSL_ENABLE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "enable/nginx_env.h"
#include "enable/open.h"
#include "enable/processes.h"
#include "enable/sizing.h"

struct wish {
    uint64_t memlock_mib;  /* 0: by the formula */
    uint64_t connections;  /* 0: by the server's own configuration */
    unsigned certificates; /* 0: the same */
};

struct plan {
    char *preload; /* the value of LD_PRELOAD */
    char *text;    /* of the drop-in */
    uint64_t memlock_mib;
    struct load load;     /* that the limit is for; nothing if it was given */
    struct nginx_env env; /* the other file, which nginx needs */
};

/*
 * Makes the plan for a unit without obstacles. object: the preload object. look: the unit's
 * present processes. Returns false after a message. The caller calls plan_free() in every case.
 */
bool plan_make(const struct opened *opened, const struct wish *wish, const char *object,
               const struct look *look, struct plan *plan);
void plan_free(struct plan *plan);

/*
 * Returns NULL if the unit, as systemd has read it, has the plan's settings, or the name of a
 * setting that it does not have.
 */
const char *plan_missing(const struct plan *plan, const struct unit *unit);

#endif
