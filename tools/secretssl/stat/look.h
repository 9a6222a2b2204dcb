/* SPDX-License-Identifier: Apache-2.0 */
/* Inspects the processes that `secretssl stat` is asked about, and judges all of them together.
 */
#ifndef SECRETSSL_STAT_LOOK_H
#define SECRETSSL_STAT_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "process/selection.h"
#include "process/state.h"

enum { ALL_PROTECTED = 0, SOME_NOT = 1, COULD_NOT_LOOK = 2 };

struct stat_result {
    struct process_state *list;
    size_t count;
    size_t states[STATES]; /* of all inspected processes, also those not in the list */
    bool all;              /* all processes of the machine; else the selected ones */
    struct found_list found;
    bool *named; /* for each process in the list: it was found by names, and not by number */
    /* With all: processes that could not be inspected, which are not in the list */
    struct process_state *unseen;
    size_t unseen_count;
};

/*
 * Inspects the selected processes, all of the machine if none is selected. Returns false on
 * failure, after a message. The caller calls stat_free() in every case.
 */
bool stat_look(const struct selection *selection, struct stat_result *result);
void stat_free(struct stat_result *result);

/* Prints a message for each given process that could not be inspected. */
void stat_say_unknown(const struct stat_result *result);

/*
 * Returns the exit status. With strict, prints a message for each process and name that is not
 * fully protected.
 */
int stat_status(const struct stat_result *result, const struct selection *selection,
                bool strict);

/*
 * Returns true if waiting can help: no process that was given by number has ended, and some are
 * not protected yet, with strict not fully.
 */
bool stat_is_worth_waiting(const struct stat_result *result, const struct selection *selection,
                           bool strict);

#endif
