/* SPDX-License-Identifier: Apache-2.0 */
/* Derives a process's protection state from its figures and its mapped files. */
#ifndef SECRETSSL_PROCESS_JUDGEMENT_H
#define SECRETSSL_PROCESS_JUDGEMENT_H

#include "process/state.h"

/* Sets the state and the reason. */
void judgement_set(struct process_state *process, enum protection_state state,
                   const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Sets the state from the figures, mappings and libraries that were read before. */
void judgement_make(struct process_state *process);

/*
 * Returns true if the figures claim more memory of some kind than the kernel has mapped for the
 * process.
 */
bool judgement_false(const struct process_state *process);

/*
 * Returns true if the process is protected and nothing is degraded, refused, not reached or
 * unknown. missing: set to the reason against it, or NULL.
 */
bool judgement_is_whole(const struct process_state *process, const char **missing);

#endif
