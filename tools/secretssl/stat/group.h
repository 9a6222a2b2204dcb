/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of one service, or of one program outside of services, taken together. */
#ifndef SECRETSSL_STAT_GROUP_H
#define SECRETSSL_STAT_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stat/look.h"
#include "stat/metrics.h"

/*
 * So many groups are kept apart, services before programs, whose names any user can make. The
 * others are one group with the program GROUP_OTHERS.
 */
enum { GROUPS_MOST = 100 };
#define GROUP_OTHERS "(others)"

/* A kind of TLS that is not reached, and the number of processes with it. */
struct group_unreached {
    const char *what;
    size_t processes;
};

struct group {
    /* The labels, as they are printed; one of them is "". */
    char unit[UNIT_NAME_ROOM], program[64];
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
 * Makes the groups of a result, with the processes that could not be inspected, in the order of
 * their names. Returns false if memory runs out. The caller calls groups_free() in every case.
 */
bool groups_make(const struct stat_result *result, struct group_list *groups);
void groups_free(struct group_list *groups);

#endif
