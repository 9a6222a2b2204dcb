/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of one service, or of one program outside of services, taken together. */
#ifndef SECRETSSL_STAT_GROUP_H
#define SECRETSSL_STAT_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stat/look.h"
#include "stat/metrics.h"

/* So many groups are kept apart; the others are one. A user can make any number of names. */
enum { GROUPS_MOST = 100 };

/* A kind of TLS that is not reached, and the number of processes with it. */
struct group_unreached {
    const char *what;
    size_t processes;
};

struct group {
    /* The labels: one of them is "", both for the group of all that is left. */
    const char *unit, *program;
    size_t processes;
    size_t states[STATES];
    bool has_figures;
    uint64_t values[FIGURES]; /* sums; the largest of PEAK and LIMIT */
    uint64_t parts[SM_PARTS];
    double arena_used; /* mapped bytes through limit, of the process where it is largest */
    struct group_unreached *unreached;
    size_t unreached_count;
};

struct group_list {
    struct group *list;
    size_t count;
    size_t left; /* groups that the last one stands for; 0: it is one like the others */
};

/*
 * Makes the groups of a result, in the order of their names; the names stay those of the
 * result. Returns false if memory runs out. The caller calls groups_free() in every case.
 */
bool groups_make(const struct stat_result *result, struct group_list *groups);
void groups_free(struct group_list *groups);

#endif
